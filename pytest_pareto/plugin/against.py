"""``--pareto-against REF``: the old code and the new in turn, in fresh processes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.judge.gate import confirming_level, flagged, suspected_changes
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.children import leaves_to_pytest
from pytest_pareto.plugin.conclusion import Conclusion
from pytest_pareto.plugin.legs import opened_legs
from pytest_pareto.plugin.listing import Listed, list_tests
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings
from pytest_pareto.plugin.taking import Taking
from pytest_pareto.plugin.turns_verdict import (
    Turns,
    conclude_turns,
    judge_turns,
    unmeasured_side,
)
from pytest_pareto.runs.git import open_tree, resolve
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.project import changed_data
from pytest_pareto.stats.power import blocks_for


class AgainstRuns:
    """Takes the place of pytest's loop: both legs take turns, in blocks of two runs each.

    The first run of the new code is shown as it goes. What then looks worse is measured again,
    both sides anew, while the old code is still checked out.
    """

    def __init__(self, settings: Settings, selection: Selection, root: Path) -> None:
        assert settings.against is not None
        self._settings = settings
        self._selection = selection
        self._against = settings.against
        self._candidate = open_tree(root)
        self._commit = resolve(self._candidate, settings.against.ref)
        self._failures: list[str] = []
        self._turns: Turns | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure both legs, and again what looks worse."""
        if leaves_to_pytest(session):
            return None
        if not session.items:
            return True
        try:
            with opened_legs(session, self._candidate, self._commit, self._against) as legs:
                self._measure(session, legs)
        except ParetoError as error:
            # Half of a comparison is none.
            self._turns = None
            self._failures.append(str(error))
        except OSError as error:
            self._turns = None
            self._failures.append(
                f"--pareto-against: {error}; look whether the temp folder can be written, and has "
                "room for the old code (TMPDIR sets another)."
            )
        return True

    def conclude(self, session: pytest.Session, duration_s: float) -> Conclusion:  # noqa: ARG002
        """Judge what both legs measured; what could not be compared fails."""
        return conclude_turns(
            self._turns,
            self._settings,
            self._selection,
            tuple(self._failures),
            self._commit,
            duration_s,
        )

    def _measure(self, session: pytest.Session, legs: Mapping[Side, Leg]) -> None:
        blocks = self._against.blocks
        listed = self._listed(session, legs[Side.REF])
        # Measured by its own tests, the old code also runs those that the new has not.
        nodeids = tuple(listed.tests) if self._against.tests_of is Side.REF else None
        taking = Taking(session, legs, nodeids=nodeids or None)
        screen = taking.take(blocks, show=True)
        self._failures += taking.failures
        lack = unmeasured_side(screen, self._commit)
        if lack is not None:
            raise ParetoError(lack)
        ref = legs[Side.REF]
        self._turns = Turns(
            screen,
            gone=() if nodeids else self._gone(session, listed),
            notices=listed.notices,
            data=tuple(map(str, changed_data(ref.other, ref.tree, ref.project.ground))),
        )
        judgement = judge_turns(self._turns, self._settings, self._selection).judgement
        suspects = flagged(judgement) if self._settings.confirm else frozenset()
        if not suspects:
            return
        level = confirming_level(judgement, suspects, self._settings.policy.alpha)
        planned = blocks_for(suspected_changes(judgement, suspects), blocks, level)
        count = self._settings.confirm if self._against.fixed_confirm else planned
        cases = {case_id for case_id, _ in suspects}
        measured = {c.comparison.nodeid for c in judgement.cases if c.case_id in cases}
        taking = Taking(session, legs, nodeids=nodeids or None, measured=measured)
        again = taking.take(count, after=blocks)
        self._failures += taking.failures
        self._turns = replace(self._turns, flagged=suspects, again=again)

    def _listed(self, session: pytest.Session, leg: Leg) -> Listed:
        if self._selection.is_remembered:
            return Listed()  # the tests were chosen by what this folder remembers of its own
        return list_tests(session, leg)

    def _gone(self, session: pytest.Session, listed: Listed) -> tuple[str, ...]:
        here = {item.nodeid for item in session.items} | self._selection.deselected
        return tuple(
            test for test, measures in listed.tests.items() if measures and test not in here
        )
