"""Both legs of ``--pareto-against``: opened for a session, and closed whatever happens."""

import contextlib
from collections.abc import Iterator

import pytest

from pytest_pareto.plugin.progress import say
from pytest_pareto.plugin.turns_settings import Against
from pytest_pareto.runs.git import Commit, Tree
from pytest_pareto.runs.leg_process import set_up
from pytest_pareto.runs.legs import Leg, Side, make_legs
from pytest_pareto.runs.project import survey
from pytest_pareto.runs.tempfolders import run_folder
from pytest_pareto.runs.worktree import check_out, refuse_missing_content, refuse_unbuilt


@contextlib.contextmanager
def opened_legs(
    session: pytest.Session, candidate: Tree, commit: Commit, against: Against
) -> Iterator[dict[Side, Leg]]:
    """Check the commit out, build both legs where asked for, and remove it at the end.

    Raises ParetoError where the old code cannot stand beside the new, with the way out.
    """
    say(session.config, f"measuring in turn with {commit}")
    with check_out(candidate, commit, against.links) as worktree:
        tests = [item.path for item in session.items]
        tests += [candidate.root / folder for folder in against.test_folders]

        def look() -> dict[Side, Leg]:
            return make_legs(
                candidate,
                worktree,
                survey(candidate, worktree, tests),
                tests_of=against.tests_of,
                cwd=session.config.invocation_params.dir,
            )

        legs = look()
        if against.setup:
            _build(session, legs, against.setup)
            legs = look()  # it may have made code, or brought a submodule's
        else:
            refuse_unbuilt(candidate, worktree, legs[Side.REF].project)
        refuse_missing_content(candidate, worktree)
        yield legs


def _build(session: pytest.Session, legs: dict[Side, Leg], command: str) -> None:
    with run_folder() as folder:
        for side, leg in legs.items():
            say(session.config, f"setting up the {side} leg: {command}")
            set_up(leg, command, folder / str(side))
