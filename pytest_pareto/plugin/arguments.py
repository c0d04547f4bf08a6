"""The session's command line for a leg's process: paths into the project mean the leg's tests."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pareto.runs.legs import Leg, Side

_CONFIGURATION = ("-c", "--config-file")
"""Both legs run under the working tree's configuration, wherever their tests are."""


def arguments_on(leg: Leg, arguments: Sequence[str]) -> list[str]:
    """Return the arguments with absolute paths into the working tree turned into the leg's.

    An IDE gives such paths, and where it opened the project by a link they go by that link. Node
    ids are relative to the root, which is the real one: so the paths have to be.
    """
    return list(_mapped(leg, arguments))


def _mapped(leg: Leg, arguments: Sequence[str]) -> Iterator[str]:
    previous = ""
    for argument in arguments:
        option, is_joined, value = argument.partition("=")
        if not (is_joined and option.startswith("-")):
            option, is_joined, value = previous, "", argument
        if option in _CONFIGURATION:
            yield argument
        elif is_joined:
            yield f"{option}={_on_leg(leg, value)}"
        else:
            yield _on_leg(leg, value)
        previous = argument


def _on_leg(leg: Leg, value: str) -> str:
    name, separator, test = value.partition("::")
    path = Path(name)
    if not path.is_absolute():
        return value
    top = leg.tree.top if leg.side is Side.CANDIDATE else leg.other.top
    for folder in (path, *path.parents):
        # Links below the top are left as they are: node ids keep them.
        if folder.resolve() == top:
            return f"{leg.tests.top / path.relative_to(folder)}{separator}{test}"
    return value
