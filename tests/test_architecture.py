"""The shape of the package: names, sizes, and tests that follow the modules."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import median

import pytest

from pytest_pareto.model.policy import Option

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_pareto"
TESTS = ROOT / "tests"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

SHARED_NAMES: frozenset[str] = frozenset()
"""Base names that may stand for more than one module, each for a reason given here."""
OF_NO_MODULE = {
    "calibration", "torture", "example", "workflows", "data",
    "test_architecture.py", "test_docs.py", "test_docs_command_line.py", "test_examples.py",
    "test_site.py", "plugin/test_light.py", "plugin/test_no_silent_green.py",
    "compare/test_sessions_calibration.py", "measure/test_gpu.py", "measure/test_language_model.py",
    "measure/meters/test_recordings.py", "report/html/test_browser.py",
    "report/html/test_example.py", "report/html/test_style.py", "report/test_properties.py",
    "results/test_properties.py", "cli/test_cli.py", "measure/test_zeus.py",
    "diffusers/test_callbacks.py", "diffusers/test_denoisers.py", "diffusers/test_gpu.py",
    "diffusers/test_marks.py", "diffusers/test_staged.py",
}  # fmt: skip
"""Tests of the whole, of a package beside ours, or of what no single module does."""


def repeated(names: list[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_a_base_name_stands_for_one_module() -> None:
    assert repeated([path.stem for path in MODULES]) == SHARED_NAMES
    assert repeated(["a/noise", "a/x", "b/noise"]) == set()
    assert repeated(["noise", "x", "noise"]) == {"noise"}


def test_modules_are_subjects_and_not_scraps() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert len(MODULES) <= 175
    assert median(lines.values()) >= 150
    assert {path.name: count for path, count in lines.items() if count > 450} == {}


def test_a_folder_holds_at_most_22_modules() -> None:
    folders = Counter(path.parent for path in MODULES)
    assert {str(folder): count for folder, count in folders.items() if count > 22} == {}


def subject(test: str) -> str | None:
    """Return the module that a test file is named after, if there is one.

    ``test_<module>.py`` or ``test_<module>_<aspect>.py``, in the folder of the module's room.
    """
    room, _, base = test.rpartition("/")
    words = base.removeprefix("test_").removesuffix(".py").split("_")
    names = ["_".join(words[: len(words) - dropped]) for dropped in range(len(words))]
    found = (name for name in names if (PACKAGE / room / f"{name}.py").exists())
    return next(found, None)


def test_tests_follow_the_modules() -> None:
    files = [path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")]
    named = [f for f in files if f not in OF_NO_MODULE and f.split("/")[0] not in OF_NO_MODULE]
    assert [file for file in named if subject(file) is None] == []
    assert subject("stats/test_skew_t.py") == "skew_t"
    assert subject("stats/test_variance_prior.py") == "variance"
    assert subject("stats/test_hall.py") is None


def private_imports(source: str) -> Iterator[tuple[str, str]]:
    """Yield the room and the name of each private name that a test imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_pareto."):
            room = (node.module or "").split(".")[1]
            yield from ((room, a.name) for a in node.names if re.match(r"_[a-zA-Z]", a.name))


@pytest.mark.parametrize("room", sorted(p.name for p in TESTS.iterdir() if p.is_dir()))
def test_private_names_stay_in_their_room(room: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in (TESTS / room).rglob("*.py")]
    found = chain.from_iterable(map(private_imports, sources))
    assert [name for other, name in found if other != room] == []


def test_a_private_import_is_found() -> None:
    source = "from pytest_pareto.stats.skew_t import _cube, hall\nfrom x import _y\n"
    assert list(private_imports(source)) == [("stats", "_cube")]


def option_literals(source: str) -> list[str]:
    """Return the option names and ini keys that stand in strings, docstrings left out."""
    tree = ast.parse(source)
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    return [found for text in texts for found in re.findall(r"--pareto[\w-]*|pareto_\w+", text)]


@pytest.mark.parametrize("room", ["model", "stats", "compare", "judge"])
def test_pure_rooms_spell_options_in_one_place(room: str) -> None:
    for path in sorted((PACKAGE / room).glob("*.py")):
        allowed = set(Option) if path.name == "policy.py" else set()
        assert set(option_literals(path.read_text(encoding="utf-8"))) <= allowed, path
    assert option_literals('"""--pareto is fine here."""\nx = f"take --pareto-runs {5}"') == [
        "--pareto-runs"
    ]


def test_the_map_names_what_there_is() -> None:
    named = set(re.findall(r"`((?:\w+/)+\w+\.py|pipeline\.py)`", ARCHITECTURE))
    assert len(named) > 40
    roots = (PACKAGE, ROOT)
    assert {name for name in named if not any((at / name).exists() for at in roots)} == set()


def test_the_map_names_every_room() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert {room for room in rooms if f"`{room}/`" not in ARCHITECTURE} == set()


@pytest.mark.slow
def test_a_reader_can_follow_one_red_build() -> None:
    """The route of `benchmarks/route.py`: files entered, and stays and returns from judging on."""
    command = [sys.executable, str(ROOT / "benchmarks" / "route.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    entered = re.search(r"exit code 1: (\d+) files", done.stdout)
    followed = re.search(r": (\d+) stays in \d+ files, (\d+) returns", done.stdout)
    assert entered is not None, done.stdout
    assert followed is not None, done.stdout
    assert int(entered[1]) <= 80
    assert int(followed[1]) <= 40
    assert int(followed[2]) <= 15
