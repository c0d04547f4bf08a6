"""What a page shows: its fenced blocks, and what each of them is.

A block that is no output says what it is in, behind its fence. One whose first line is a comment
that names a file is that file. A comment ``<!-- not run: reason -->`` above a block says why no
test runs it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(
    r"(?:^<!-- (?P<said>(?:not run|output): [^>]*?) -->\n)?"
    r"^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)\n",
    flags=re.DOTALL | re.MULTILINE,
)
_NAMED = re.compile(r"\A# ([\w./-]+\.\w+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``not_run`` is why it is not run, ``output`` what printed it."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None = None
    output: str | None = None

    @property
    def where(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The path of the file that it is, if it is one."""
        named = _NAMED.match(self.text)
        return named[1] if named else None


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in _FENCED.finditer(text):
        kind, _, rest = (match["said"] or "").partition(": ")
        found.append(
            Block(
                path.name,
                text.count("\n", 0, match.start("fence")) + 1,
                match["language"].strip(),
                match["text"],
                not_run=rest if kind == "not run" else None,
                output=rest if kind == "output" else None,
            )
        )
    return found


def apply_diff(block: Block, folder: Path) -> None:
    """Make the change that a block in ``diff`` shows: one line in place of one other.

    Raises ValueError where no file below the folder has that line exactly once.
    """
    (old,) = re.findall(r"^-(.*)$", block.text, flags=re.MULTILINE)
    (new,) = re.findall(r"^\+(.*)$", block.text, flags=re.MULTILINE)
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if text.count(f"{old}\n") == 1:
            path.write_text(text.replace(f"{old}\n", f"{new}\n"), encoding="utf-8")
            return
    raise ValueError(f"{block.where}: no file has the line {old!r} once")
