"""Text that Markdown shows as it is: on GitHub, on GitLab, in a table and outside of one.

A name goes into a code span: nothing in it is a link, a mention, a reference or markup. Of prose
those words do that are not plain ones. No HTML is ever written.
"""

import re
from collections.abc import Iterator, Sequence

from pytest_pareto.report.text import clean, shorten

_BACKTICKS = re.compile(r"`+")
_PLAIN = re.compile(r"[\w.,;'’\"“”/()+=%×±−→…·°-]+")
_LEAD, _TAIL = "(\"'“", ".,;:!?)\"'”…"
_CONFUSED = re.compile(
    r"""
    _ | (?i:www\.)           # emphasis, links without a scheme
    | ^-- | ^[%=]\S | ^[+-]\D  # typography, milestones, lists
    | ^[0-9a-fA-F]{7,40}$    # commits
    | ^(?i:gh)-\d            # issues
    """,
    re.VERBOSE,
)
_NUMBERED = re.compile(r"(\d+)([.)])")
_NUMBER = re.compile(r"\[?[+−×]?[\d.]+\]?[,)]*")
_ZERO_WIDTH = "&#8203;"


def code(text: str, *, cell: bool = False, width: int | None = None) -> str:
    """Write a name as a code span, "" where it is empty; a ``cell`` is one of a table.

    More than ``width`` cells are shortened in their middle.
    """
    text = clean(text)
    if width is not None:
        text = shorten(text, width)
    if not text:
        return ""
    if not cell:
        return _span(text)
    # A backslash before a pipe would escape either of them, and readers differ in which: they
    # are parted into two spans.
    parts = re.split(r"(?<=\\)(?=\|)", text)
    return _ZERO_WIDTH.join(_span(part).replace("|", "\\|") for part in parts)


def _span(text: str) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    # One space at both ends is taken away again, unless there is nothing else.
    pad = " " if text.strip() and (text[0] in "` " or text[-1] in "` ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def codes(names: Sequence[str], *, width: int) -> str:
    """Write names side by side, each a code span: what is within one parts no names."""
    return ", ".join(code(name, width=width) for name in names)


def prose(text: str, *, cell: bool = False) -> str:
    """Write a text in one line; what is not a plain word in it becomes a code span."""
    words = clean(text).split()
    if words and _NUMBERED.fullmatch(words[0]):
        words[0] = _NUMBERED.sub(r"\1\\\2", words[0])  # no item of a list
        return " ".join([words[0], *_words(words[1:], cell=cell)])
    return " ".join(_words(words, cell=cell))


def _words(words: list[str], *, cell: bool) -> Iterator[str]:
    for word in words:
        core = word.lstrip(_LEAD)
        lead, core = word[: len(word) - len(core)], core.rstrip(_TAIL)
        tail = word[len(lead) + len(core) :]
        if word in "·%&" or _NUMBER.fullmatch(word):
            yield word
        elif len(word) == 1:
            yield f"\\{word}" if word.isascii() and not word.isalnum() else word
        elif not core or (_PLAIN.fullmatch(core) and not _CONFUSED.search(core)):
            yield word
        else:
            yield f"{lead}{code(core, cell=cell)}{tail}"
