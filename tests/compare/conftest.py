"""Both sides of a comparison, built by hand: what this session measured, what is remembered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pytest_pareto.compare.levels import CaseLevels, Measured, measured_metrics
from pytest_pareto.compare.pairs import CasePairs, pair_cases
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.model.verdict import MetricResult

HERE = Environment("AMD EPYC 9654", 16, 8, gpu_product="NVIDIA H200", gpu_count=1, boards=("ab12",))
ELSEWHERE = replace(HERE, cpu_model="Intel Xeon")
DEVICE = Metric("device", "s", Better.LOWER, Kind.RUN, Scope.GPU, 0.01, relative=True)
FID = Metric("fid", "", Better.LOWER, Kind.RUN, Scope.GPU, 0.5, relative=False)
SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
WITHOUT = "without the FLOPs of mylib.kernel"
METRICS = {m.name: m for m in (LATENCY, DEVICE, FID, SCORE, PEAK_MEMORY)}


@dataclass(frozen=True)
class World:
    """Builds the nouns. ``overrides`` are metrics that stand in for those of their name."""

    here: Environment = HERE
    elsewhere: Environment = ELSEWHERE
    overrides: tuple[Metric, ...] = ()

    def metric(self, name: str) -> Metric:
        return (METRICS | {m.name: m for m in reversed(self.overrides)})[name]

    def where(self, *overrides: Metric) -> "World":
        """The same world with other metrics under their names."""
        return replace(self, overrides=(*overrides, *self.overrides))

    def measurement(self, name: str, reading: Any) -> Measurement:
        """A number is one reading, a string why there is none, a sequence a score per sample."""
        metric = self.metric(name)
        if isinstance(reading, str):
            return Measurement(metric, absent=reading)
        if metric.kind is not Kind.PAIRED:
            return Measurement(metric, (float(reading),))
        return Measurement(metric, tuple(reading), self.ids(len(reading)))

    @staticmethod
    def measured(runs: Sequence[CaseRun], name: str) -> Measured:
        found = measured_metrics(runs)[name]
        assert isinstance(found, Measured)
        return found

    @staticmethod
    def unmeasured(runs: Sequence[CaseRun], name: str) -> MetricResult:
        found = measured_metrics(runs)[name]
        assert isinstance(found, MetricResult)
        return found

    @staticmethod
    def ids(count: int) -> tuple[str, ...]:
        return tuple(f"s{i:03}" for i in range(count))

    def runs(self, case_id: str = "a", **kwargs: Any) -> tuple[CaseRun, ...]:
        """``runs("a", device=[1.0, 1.1])`` measured twice; None is not recorded in that run."""
        about: dict[str, Any] = {"front": "f", "source": "s1", "nodeid": case_id}
        about |= {k: kwargs.pop(k) for k in ("front", "source", "gate", "budgets") if k in kwargs}
        count = max((len(readings) for readings in kwargs.values()), default=1)
        return tuple(
            CaseRun(
                case_id,
                measurements=tuple(
                    self.measurement(name, readings[run])
                    for name, readings in kwargs.items()
                    if readings[run] is not None
                ),
                **about,
            )
            for run in range(count)
        )

    @staticmethod
    def bounded(runs: Sequence[CaseRun], name: str) -> tuple[CaseRun, ...]:
        """The same runs, in which this metric leaves something out."""
        return tuple(
            replace(
                run,
                measurements=tuple(
                    replace(m, lower_bound=WITHOUT) if m.metric.name == name else m
                    for m in run.measurements
                ),
            )
            for run in runs
        )

    def past(self, name: str, *sessions: Session | Sequence[float], **about: Any) -> MetricHistory:
        """A metric's history; a plain sequence is one session here, or the scores if paired."""
        metric = self.metric(name)
        samples = None
        if metric.kind is Kind.PAIRED:
            (scores,) = sessions
            assert not isinstance(scores, Session)
            samples = Samples(self.ids(len(scores)), tuple(scores))
            sessions = ((sum(scores) / len(scores),),)
        return MetricHistory(
            unit=about.get("unit", metric.unit),
            better=about.get("better", metric.better),
            kind=about.get("kind", metric.kind),
            scope=metric.scope,
            sessions=tuple(
                s if isinstance(s, Session) else Session("here", 0, tuple(s)) for s in sessions
            ),
            samples=samples,
        )

    def history(self, case_id: str = "a", **metrics: Any) -> CaseHistory:
        """``history("a", device=[1.0, 1.1])`` remembers one session of two runs."""
        front, source = metrics.pop("front", "f"), metrics.pop("source", "s1")
        return CaseHistory(
            case_id,
            front,
            source,
            {
                name: past if isinstance(past, MetricHistory) else self.past(name, past)
                for name, past in metrics.items()
            },
        )

    def baseline(self, *cases: CaseHistory, **kwargs: Any) -> Baseline:
        environments = {"here": self.here, "elsewhere": self.elsewhere}
        return Baseline(
            self.here.hardware_key, {c.case_id: c for c in cases}, environments, **kwargs
        )

    def match(
        self,
        baseline: Baseline,
        *cases: Sequence[CaseRun],
        now: Environment | None = None,
        spreads: SessionSpreads | None = None,
    ) -> dict[str, CasePairs]:
        """Bring both sides together; without ``spreads`` sessions are taken for one."""
        policy = Policy(spreads=spreads or SessionSpreads(0.0, 0.0, 0.0))
        levels = {
            runs[-1].case_id: CaseLevels(tuple(runs), measured_metrics(runs)) for runs in cases
        }
        matched = pair_cases(levels, baseline, now or self.here, policy)
        return {case.case_id: case for case in matched}


@pytest.fixture
def world() -> World:
    return World()
