"""Questions to git: about the user's repository, whatever the surroundings pretend."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.process import end_group

_MISLEADING = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_QUARANTINE_PATH",
        "GIT_SHALLOW_FILE",
    }
)
"""What git sets for its hooks: it names one repository, and every folder would be taken for it."""
_SETTINGS = {
    "LC_ALL": "C",  # the messages are read
    "GIT_OPTIONAL_LOCKS": "0",  # looking leaves the index as it is
    "GIT_TERMINAL_PROMPT": "0",
}
_OPTIONS = (
    *("-c", f"core.hooksPath={os.devnull}"),  # the user's hooks are for the user's check-outs
    *("-c", "core.fsmonitor=false"),  # a hook by another name
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a git command said."""

    code: int
    output: str
    complaint: str


def without_git(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what points git at another repository."""
    return {name: value for name, value in environment.items() if name not in _MISLEADING}


def try_git(folder: Path, *arguments: str) -> Answer:
    """Run git in a folder and return what it said, good or bad.

    Git runs in a group of its own: Ctrl-C comes to us, and we end git in good order.
    Raises ParetoError where there is no git.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - our own words, no shell
            ["git", "-C", str(folder), *_OPTIONS, *arguments],  # noqa: S607 - the user's git
            env=without_git(os.environ) | _SETTINGS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise ParetoError(
            "another commit needs git, and there is none on the PATH; install it, or compare "
            "with a baseline instead."
        ) from None
    try:
        output, complaint = process.communicate()
    finally:
        end_group(process)
    return Answer(process.returncode, os.fsdecode(output), complaint.decode(errors="replace"))


def ask_git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output; raises ParetoError with its complaint."""
    answer = try_git(folder, *arguments)
    if answer.code != 0:
        raise ParetoError(
            f"--pareto-against: git {arguments[0]} failed in {folder} with exit code "
            f"{answer.code}:\n{answer.complaint.strip()}"
        )
    return answer.output
