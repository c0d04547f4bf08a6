"""``--pareto-against REF``: the old code and the new in turn, in fresh processes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_pareto.compare.planning import blocks_for
from pytest_pareto.judge.screening import confirming_level, flagged, suspected_changes
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.conclusion import Conclusion
from pytest_pareto.plugin.legs import opened_legs
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings
from pytest_pareto.plugin.taking import Taking
from pytest_pareto.plugin.turns_verdict import (
    Turns,
    conclude_turns,
    judge_turns,
    unmeasured_side,
)
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.repository import open_tree, resolve


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
        option = session.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
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
        taking = Taking(session, legs)
        screen = taking.take(blocks, show=True)
        self._failures += taking.failures
        lack = unmeasured_side(screen, self._commit)
        if lack is not None:
            raise ParetoError(lack)
        self._turns = Turns(screen)
        judgement = judge_turns(self._turns, self._settings, self._selection).judgement
        suspects = flagged(judgement) if self._settings.confirm else frozenset()
        if not suspects:
            return
        level = confirming_level(judgement, suspects, self._settings.policy.alpha)
        planned = blocks_for(suspected_changes(judgement, suspects), blocks, level)
        count = self._settings.confirm if self._against.fixed_confirm else planned
        cases = {case_id for case_id, _ in suspects}
        nodeids = {c.comparison.nodeid for c in judgement.cases if c.case_id in cases}
        taking = Taking(session, legs, measured=nodeids)
        again = taking.take(count, after=blocks)
        self._failures += taking.failures
        self._turns = Turns(screen, suspects, again)
