"""How text is laid out: sorted keys, one line per leaf, a fixed number of digits."""

import json
from collections.abc import Mapping
from typing import TypeAlias

Tree: TypeAlias = Mapping[str, "str | Tree"]


def block(tree: Tree, indent: str = "") -> str:
    """Lay out nested objects with sorted keys; a leaf is a line of JSON.

    A leaf that is a list or an object stands below its name: two branches that change
    neighbouring leaves leave the unchanged name between them, which git needs to merge both.
    """
    inner = indent + "  "
    entries = []
    for name in sorted(tree):
        branch = tree[name]
        if not isinstance(branch, str):
            text = " " + block(branch, inner)
        elif branch.startswith(("{", "[")):
            text = f"\n{inner}  {branch}"
        else:
            text = " " + branch
        entries.append(f"{inner}{json.dumps(name)}:{text}")
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}" if entries else "{}"


def line(content: object) -> str:
    """Write content as one line of ASCII JSON with sorted keys."""
    return json.dumps(content, sort_keys=True)


def in_full(value: float) -> float:
    """Keep every digit, with whole numbers as integers while those are readable."""
    return int(value) if abs(value) < 2.0**63 and value == int(value) else value
