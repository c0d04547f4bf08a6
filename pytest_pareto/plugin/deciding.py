"""What lets an evaluation stop early: the baseline, where this process may look at it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import CaseRun

_WANTS_ALL = ("--pareto-update", "--pareto-against", "--pareto-noise")
"""Options under which every sample is wanted: recorded, beside other code, or beside itself."""

_DECIDING = pytest.StashKey["Deciding"]()


@dataclass(frozen=True, slots=True)
class Deciding:
    """Says of a case, scored so far, whether its baseline decides about it.

    Beside the case it takes the metrics that the case has besides.
    """

    decide: Callable[[CaseRun, Sequence[Metric]], bool]


def decider(config: pytest.Config) -> Deciding | None:
    """Return what decides, or None where no evaluation may stop early.

    The baseline is read once in a process, when the first evaluation asks.
    """
    if any(config.getoption(option) for option in _WANTS_ALL):
        return None
    if _DECIDING not in config.stash:
        config.stash[_DECIDING] = _deciding(config)
    return config.stash[_DECIDING]


def _deciding(config: pytest.Config) -> Deciding:
    from pytest_pareto.compare.early_stop import Grounds, is_decided
    from pytest_pareto.measure.machine import probe_environment
    from pytest_pareto.model.policy import Terms
    from pytest_pareto.plugin.past import load_past
    from pytest_pareto.plugin.settings import read_settings

    settings = read_settings(config)
    now = probe_environment({})
    past = load_past(settings, now.hardware_key)
    terms = Terms(settings.policy.alpha, settings.session_spreads)
    trades = settings.policy.trade_offs
    grounds = Grounds(past.baseline, now, terms, past.anchor, trades)
    return Deciding(lambda scored, others: is_decided(scored, grounds, others))
