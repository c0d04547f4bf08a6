"""Mutations of a file: of its bytes, of its JSON, and of what a baseline's numbers mean.

Every function takes a seeded random generator, and returns what it made; nothing is ever the
product's own code, so that a mistake there is not repeated here.
"""

import codecs
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_RAW = "@@raw:"
"""Begins a string that stands for a token as it is, such as NaN or a number beyond every float."""

Tree = Any
Place = tuple[Any, Any]
"""A container, and the key or the index in it."""


def _always(value: object) -> Callable[[object], object]:
    return lambda _: value


NUMBERS: tuple[Callable[[float], object], ...] = (
    *(lambda x, f=f: x * f for f in (1 + 1e-12, 1.001, 1.05, 0.5, 2.0, 10.0, 1e6, 1e300, 1e-300)),
    *map(_always, (0, -0.0, 1, -1, 1e308, 5e-324, True, None, "1", [1], {})),
    *(lambda _, t=t: _RAW + t for t in ("NaN", "Infinity", "-Infinity", "1e400", "1" * 400)),
    lambda _: _RAW + "9" * 5000,
    lambda x: -x,
    lambda x: x + 1,
    lambda x: x - 1,
    lambda x: int(x) if abs(x) < 1e15 else 0,
    str,
)
STRINGS: tuple[Callable[[str], object], ...] = (
    *map(_always, ("", " ", "\ud800", "\x00", "\u202e", "x" * 20_000, "NaN", "../x")),
    *map(_always, ("/etc/passwd", 0, 1.5, None, False, [], {}, ["a"])),
    lambda text: text + "x",
    lambda text: text[:-1],
    str.upper,
    lambda text: [text],
    lambda text: text[::-1],
)
VERSIONS = (0, -1, 2, 3, 10**9, 10**30, 1.0, "1", True, None, [1])


def mutated(data: bytes, draw: random.Random) -> tuple[str, bytes]:
    """Return the name of a mutation and the file's new content: of its JSON, else of its bytes."""
    if draw.random() < 0.7:
        found = of_json(data, draw)
        if found is not None:
            return found
    return of_bytes(data, draw)


def of_bytes(data: bytes, draw: random.Random) -> tuple[str, bytes]:
    """Return the name of a mutation of the bytes, and the new ones."""
    name = draw.choice([*_OF_BYTES])
    return f"bytes: {name}", _OF_BYTES[name](data, draw)


def of_json(data: bytes, draw: random.Random) -> tuple[str, bytes] | None:
    """Return the name of a mutation of a JSON text, or of one of its lines, and the new text.

    None where that holds no JSON.
    """
    lines = data.split(b"\n")
    at = None
    try:
        tree = json.loads(data)
    except ValueError:
        at = draw.randrange(len(lines))
        try:
            tree = json.loads(lines[at])
        except ValueError:
            return None
    name = draw.choice([*_OF_TREES])
    tree = _OF_TREES[name](tree, draw)
    text = _text(tree, indent=None if at is not None else draw.choice((None, 1)))
    if at is None:
        return f"JSON: {name}", text
    return f"JSON: {name}", b"\n".join([*lines[:at], text, *lines[at + 1 :]])


def _text(tree: Tree, indent: int | None) -> bytes:
    """Return a tree as JSON, with raw tokens and keys that are there twice."""
    if isinstance(tree, _Deep):
        return tree.text
    text = json.dumps(tree, indent=indent)
    while (begin := text.find(f'"{_RAW}')) >= 0:
        end = text.index('"', begin + 1)
        text = text[:begin] + text[begin + 1 + len(_RAW) : end] + text[end + 1 :]
    return text.replace(_TWICE, "").encode()


_TWICE = "@@twice"
"""Ends a key that is to be the one that it begins with, once more."""


class _Deep:
    def __init__(self, text: bytes) -> None:
        self.text = text


def places(tree: Tree) -> Iterator[Place]:
    """Yield every place of a tree but its root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield tree, key
        if isinstance(value, dict | list):
            yield from places(value)


def _any(tree: Tree, draw: random.Random, *kinds: type) -> Place | None:
    """Return a place that holds a value of one of the types, of any without them."""
    if not isinstance(tree, dict | list):
        return None
    found = [
        (box, key)
        for box, key in places(tree)
        if not kinds or (isinstance(box[key], kinds) and not isinstance(box[key], bool))
    ]
    return draw.choice(found) if found else None


def _drop(tree: Tree, draw: random.Random) -> Tree:
    if (found := _any(tree, draw)) is not None:
        del found[0][found[1]]
    return tree


def _rename(tree: Tree, draw: random.Random) -> Tree:
    found = _any(tree, draw)
    if found is not None and isinstance(found[0], dict):
        box, key = found
        box[draw.choice((key + "x", key.upper(), "", "\ud800", key[::-1], "x" * 9999))] = box.pop(
            key
        )
    return tree


def _twice(tree: Tree, draw: random.Random) -> Tree:
    found = _any(tree, draw)
    if found is not None and isinstance(found[0], dict):
        box, key = found
        value = box[key]
        other = draw.choice([*NUMBERS])(value) if isinstance(value, float) else value
        box[key + _TWICE] = draw.choice((value, other, None))
    elif found is not None:
        found[0].insert(found[1], found[0][found[1]])
    return tree


def _number(tree: Tree, draw: random.Random) -> Tree:
    if (found := _any(tree, draw, int, float)) is not None:
        box, key = found
        try:
            box[key] = draw.choice(NUMBERS)(box[key])
        except (OverflowError, ValueError):
            box[key] = 0
    return tree


def _string(tree: Tree, draw: random.Random) -> Tree:
    if (found := _any(tree, draw, str)) is not None:
        box, key = found
        box[key] = draw.choice(STRINGS)(box[key])
    return tree


def _type(tree: Tree, draw: random.Random) -> Tree:
    if (found := _any(tree, draw)) is not None:
        box, key = found
        box[key] = draw.choice((None, True, 0, 1.5, "", "x", [], {}, [[]], {"x": 1}, [None]))
    return tree


def _list(tree: Tree, draw: random.Random) -> Tree:
    found = _any(tree, draw, list)
    if found is None:
        return tree
    items = found[0][found[1]]
    change = draw.randrange(5)
    if change == 0:
        items.clear()
    elif change == 1:
        items.reverse()
    elif change == 2:
        draw.shuffle(items)
    elif change == 3:
        items *= draw.choice((2, 3, 1000))
    elif items:
        items.pop(draw.randrange(len(items)))
    return tree


def _swap(tree: Tree, draw: random.Random) -> Tree:
    one, other = _any(tree, draw), _any(tree, draw)
    if one is not None and other is not None and one[0] is other[0]:
        one[0][one[1]], one[0][other[1]] = one[0][other[1]], one[0][one[1]]
    elif one is not None and isinstance(one[0], dict):
        keys = [*one[0]]
        sibling = draw.choice(keys)
        one[0][one[1]], one[0][sibling] = one[0][sibling], one[0][one[1]]
    return tree


def _version(tree: Tree, draw: random.Random) -> Tree:
    if isinstance(tree, dict):
        key = next((key for key in ("schema", "version") if key in tree), "schema")
        tree[key] = draw.choice(VERSIONS)
    return tree


def _nest(tree: Tree, draw: random.Random) -> Tree:
    depth = draw.choice((10, 990, 5_000, 100_000))
    opening, closing = draw.choice(((b"[", b"]"), (b'{"a":', b"}")))
    middle = opening * depth + b"1" + closing * depth
    if (found := _any(tree, draw)) is None or draw.random() < 0.2:
        return _Deep(middle)
    found[0][found[1]] = "@@here"
    return _Deep(json.dumps(tree).encode().replace(b'"@@here"', middle, 1))


def _root(_: Tree, draw: random.Random) -> Tree:
    return draw.choice(([], {}, None, 1, "x", [{}], {"schema": 1}, {"cases": {}}))


_OF_TREES: dict[str, Callable[[Tree, random.Random], Tree]] = {
    "drop an entry": _drop,
    "rename a key": _rename,
    "an entry twice": _twice,
    "change a number": _number,
    "change a string": _string,
    "another type": _type,
    "change a list": _list,
    "swap two values": _swap,
    "another version": _version,
    "nest deeply": _nest,
    "another root": _root,
}


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _without_a_span(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    return data[:begin] + data[begin + draw.randrange(1, 60) :]


def _with_a_span_twice(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    end = begin + draw.randrange(1, 60)
    return data[:end] + data[begin:end] + data[end:]


def _inserted(data: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    garbage = draw.choice((b"\x00", b"\xff", b"\xed\xa0\x80", b"{", b"]", b'"', b"\\", b"\r", b"9"))
    return data[:begin] + garbage + data[begin:]


def _encoded(data: bytes, draw: random.Random) -> bytes:
    coding = draw.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp037"))
    return data.decode("utf-8", "replace").encode(coding, "replace")


def _conflict(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = draw.randrange(len(lines) + 1)
    mark = [b"<<<<<<< HEAD", b"=======", b">>>>>>> other"]
    return b"\n".join([*lines[:at], *mark[: draw.randrange(1, 4)], *lines[at:]])


def _lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    change = draw.randrange(3)
    if change == 0:
        del lines[one]
    elif change == 1:
        lines.insert(other, lines[one])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


_OF_BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut off": _cut,
    "flipped bits": _flip,
    "a span gone": _without_a_span,
    "a span twice": _with_a_span_twice,
    "garbage": _inserted,
    "another encoding": _encoded,
    "a merge conflict": _conflict,
    "lines moved": _lines,
    "empty": lambda _, draw: draw.choice((b"", b" ", b"\n", b"\x00", codecs.BOM_UTF8)),
    "more behind it": lambda data, draw: data + draw.choice((b"x", data, b"{}", b"\x1a", b"]")),
}


def of_a_baseline(folder: Path, draw: random.Random) -> str:
    """Change what the files of a baseline say, as a person or a script would; return its name."""
    name = draw.choice([*_OF_MEANING])
    _OF_MEANING[name](folder, draw)
    return f"meaning: {name}"


class _Files:
    """The main files of a baseline with the metrics in them, and the files beside them."""

    def __init__(self, folder: Path) -> None:
        self.trees: dict[Path, Tree] = {}
        for path in sorted(folder.rglob("*.json")):
            self.trees[path] = json.loads(path.read_bytes())

    def metrics(self) -> list[tuple[Path, str, str, Tree]]:
        """Return file, case, name and line of every metric."""
        return [
            (path, case, name, line)
            for path, tree in self.trees.items()
            if "cases" in tree and not path.name.endswith((".samples.json", ".profile.json"))
            for case, entry in tree["cases"].items()
            for name, line in entry["metrics"].items()
        ]

    def samples(self) -> list[tuple[Path, str, str, Tree]]:
        """Return file, case, name and line of all scores per sample."""
        return [
            (path, case, name, line)
            for path, tree in self.trees.items()
            if path.name.endswith(".samples.json")
            for case, entry in tree["cases"].items()
            for name, line in entry.items()
        ]

    def write(self) -> None:
        for path, tree in self.trees.items():
            path.write_text(json.dumps(tree, indent=1))


def _worse(line: Tree, draw: random.Random) -> float:
    """Return a factor by which a level gets worse."""
    factor = draw.choice((1.02, 1.2, 2.0, 5.0))
    return factor if line["better"] == "lower" else 1 / factor


def _worse_level(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.metrics(), draw):
        factor = _worse(line, draw)
        for session in line["sessions"]:
            session["runs"] = [run * factor for run in session["runs"]]
    files.write()


def _worse_newest(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.metrics(), draw):
        newest = line["sessions"][-1]
        newest["epoch"] += draw.choice((0, 1))
        factor = _worse(line, draw)
        newest["runs"] = [run * factor for run in newest["runs"]]
    files.write()


def _worse_samples(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.samples(), draw):
        factor, share = draw.choice((0.98, 0.8, 0.4)), draw.choice((0.1, 0.5, 1.0))
        line["values"] = [x * factor if draw.random() < share else x for x in line["values"]]
    files.write()


def _worse_level_and_samples(folder: Path, draw: random.Random) -> None:
    files, factor = _Files(folder), draw.choice((0.9, 0.6, 0.3))
    for _, _, _, line in files.samples():
        line["values"] = [x * factor for x in line["values"]]
    kept = {(case, name) for _, case, name, _ in files.samples()}
    for _, case, name, line in files.metrics():
        if (case, name) in kept:
            for session in line["sessions"]:
                session["runs"] = [run * factor for run in session["runs"]]
    files.write()


def _samples_swapped(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    lines = [line for *_, line in files.samples()]
    if len(lines) > 1:
        one, other = draw.sample(lines, 2)
        one["values"], other["values"] = other["values"], one["values"]
    files.write()


def _samples_permuted(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.samples(), draw):
        draw.shuffle(line["values"])
    files.write()


def _cases_swapped(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for tree in files.trees.values():
        if len(tree.get("cases", ())) > 1 and draw.random() < 0.7:
            one, other = draw.sample(sorted(tree["cases"]), 2)
            cases = tree["cases"]
            cases[one], cases[other] = cases[other], cases[one]
    files.write()


def _metrics_swapped(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    one, other = draw.sample([line for *_, line in files.metrics()], 2)
    one["sessions"], other["sessions"] = other["sessions"], one["sessions"]
    files.write()


def _field(field: str, *values: object) -> Callable[[Path, random.Random], None]:
    def change(folder: Path, draw: random.Random) -> None:
        files = _Files(folder)
        for _, _, _, line in _some(files.metrics(), draw):
            line[field] = draw.choice(values)
        files.write()

    return change


def _session_gone(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.metrics(), draw):
        line["sessions"].pop(draw.randrange(len(line["sessions"])))
    files.write()


def _runs_spread(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.metrics(), draw):
        for session in line["sessions"]:
            session["runs"] = [run * draw.choice((1, 1, 3, 30)) for run in session["runs"]]
    files.write()


def _lower_bound(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in _some(files.metrics(), draw):
        line["sessions"][-1]["lower_bound"] = "without the rest"
    files.write()


def _reference(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    for _, _, _, line in files.metrics():
        for session in line["sessions"]:
            reference = session.get("reference") or [0.001] * len(session["runs"])
            session["reference"] = [x * draw.choice((0.3, 1.0, 2.0)) for x in reference]
    files.write()


def _case_gone(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    path, case, name, _ = draw.choice(files.metrics())
    entry = files.trees[path]["cases"][case]
    if draw.random() < 0.5:
        del files.trees[path]["cases"][case]
    else:
        del entry["metrics"][name]
    files.write()


def _front(folder: Path, draw: random.Random) -> None:
    files = _Files(folder)
    path, case, _, _ = draw.choice(files.metrics())
    files.trees[path]["cases"][case]["front"] = draw.choice(("other", "", "test_model.py::x"))
    files.write()


def _environment(folder: Path, draw: random.Random) -> None:
    path = draw.choice(sorted((folder / "_env").glob("*.json")))
    tree = json.loads(path.read_bytes())
    field = draw.choice(
        ("cpu_model", "usable_cores", "gpu_product", "gpu_count", "boards", "threads")
    )
    others = {"usable_cores": 64, "gpu_count": 3, "boards": ["other"], "threads": 1}
    tree[field] = others.get(field, "other")
    path.write_text(json.dumps(tree))


def _file_gone(folder: Path, draw: random.Random) -> None:
    draw.choice(sorted(folder.rglob("*.json"))).unlink()


def _file_moved(folder: Path, draw: random.Random) -> None:
    path = draw.choice(sorted(folder.rglob("*.json")))
    other = draw.choice(
        (
            path.with_name("test_other.json"),
            path.with_name(".json"),
            path.with_name("..json"),
            path.with_name("test_model.samples.samples.json"),
            path.with_name("test_model.profile.json"),
            folder / "other-machine" / path.name,
            folder / "any" / path.name,
            folder / path.name,
        )
    )
    other.parent.mkdir(exist_ok=True)
    if draw.random() < 0.5:
        path.replace(other)
    else:
        other.write_bytes(path.read_bytes())


def _some(items: list[Any], draw: random.Random) -> list[Any]:
    """Return one of the items, some, or all."""
    if not items:
        return []
    count = draw.choice((1, len(items) // 2, len(items)))
    return draw.sample(items, max(count, 1))


_OF_MEANING: dict[str, Callable[[Path, random.Random], None]] = {
    "a worse level": _worse_level,
    "a worse newest session": _worse_newest,
    "worse samples": _worse_samples,
    "worse level and samples": _worse_level_and_samples,
    "samples of two cases swapped": _samples_swapped,
    "samples permuted": _samples_permuted,
    "two cases swapped": _cases_swapped,
    "two metrics swapped": _metrics_swapped,
    "another direction": _field("better", "lower", "higher"),
    "another unit": _field("unit", "", "ms", "J"),
    "another kind": _field("kind", "run", "exact", "paired", "set", "ordinal"),
    "another scope": _field("scope", "anywhere", "gpu", "host"),
    "no gate": _field("gates", False),  # noqa: FBT003 - a value of the file
    "a session gone": _session_gone,
    "a wide spread": _runs_spread,
    "a lower bound": _lower_bound,
    "another reference": _reference,
    "a case or metric gone": _case_gone,
    "another front": _front,
    "another machine": _environment,
    "a file gone": _file_gone,
    "a file moved or copied": _file_moved,
}
