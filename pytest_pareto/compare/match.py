"""Two sides of one metric that may be compared: what is known of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_pareto.compare.measured import Measured
from pytest_pareto.model.baseline import MetricHistory, Samples, Session
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks, order_seed
from pytest_pareto.stats.contrast import CERTAIN, Doubt
from pytest_pareto.stats.scale import all_same

_REPEATS = 3
"""So many identical runs make a recorded number repeatable."""


@dataclass(frozen=True, slots=True)
class Match:
    """Both sides of one metric, fit to be compared.

    ``sessions`` are those of the baseline that were measured where this one was, ``runs`` the
    levels to compare with them; ``session_spread`` is a fraction of the level. ``exact`` is
    whether plain comparison does, because the metric is exact or has repeated to the last
    digit. ``doubt`` is what an adjustment of both sides cost, ``apart`` that it had to reach too
    far, and ``notes`` tell of it.
    """

    measured: Measured
    sessions: tuple[Session, ...]
    runs: tuple[float, ...]
    samples: Samples | None
    session_spread: float
    exact: bool
    doubt: Doubt = CERTAIN
    apart: str | None = None
    notes: tuple[str, ...] = ()

    def accepted_level(self) -> Sequence[float]:
        """Return the levels accepted now, of the samples that this session has scored too."""
        if not self.measured.complete:
            return [fmean(self.accepted_scores().values())]
        return _newest_level(self.sessions)

    def accepted_scores(self) -> dict[str, float]:
        """Return the scores accepted now, by id: of the samples that this session has scored."""
        assert self.samples is not None
        assert self.measured.samples is not None
        scores = dict(zip(self.samples.ids, self.samples.values, strict=True))
        if self.measured.complete:
            return scores
        return {name: scores[name] for name in self.measured.samples.ids}


def other_samples(past: MetricHistory, found: Measured, called: str) -> str | None:
    """Say how the samples that were scored are not those of the past, as it is ``called``."""
    if found.samples is None or past.samples is None:
        return None
    then, now = set(past.samples.ids), set(found.samples.ids)
    if then == now or (found.looks is not None and _is_part(found.looks, now, then)):
        return None
    if found.metric.kind is Kind.SET:
        return f"the samples of the set are not those of {called}"
    if found.looks is not None and not found.complete and now < then:
        return (
            f"{found.looks.samples} samples were planned, of which some are not among "
            f"the {len(then)} of {called}"
        )
    gone, come = sorted(then - now), sorted(now - then)
    parts = [
        f"{len(names)} {what} (such as {names[0]!r})"
        for names, what in ((gone, f"ids of {called} are gone"), (come, "ids are new"))
        if names
    ]
    return f"its samples are not those of {called}: {' and '.join(parts)}"


def repeats(found: Measured, sessions: Sequence[Session]) -> bool:
    """Whether a recorded number has come out the same in every run of both sides.

    Such a number has no spread to test with, and needs none.
    """
    if found.metric.kind is not Kind.RUN or found.metric.relative:
        return False
    level = _newest_level(sessions)
    if len(level) < _REPEATS:
        return False
    return all_same(level) and all_same(found.runs)


def _newest_level(sessions: Sequence[Session]) -> list[float]:
    newest = sessions[-1].epoch
    return [x for session in sessions if session.epoch == newest for x in session.runs]


def _is_part(looks: Looks, now: set[str], then: set[str]) -> bool:
    planned = looks.samples == len(then) and looks.seed == order_seed(then)
    return not looks.complete and now < then and planned
