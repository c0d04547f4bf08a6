"""Judged sessions built by hand, the only input of the reports."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_pareto.model.attribution import Attribution, Contribution
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import (
    DISPATCHES,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    CommonMode,
    Failure,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)

FRONT = "test_sd.py::test_generate"
DEVICE_TIME = Metric("device_time", "s", Better.LOWER, Kind.RUN, Scope.GPU, 0.01, relative=True)
ACCURACY = Metric("label_accuracy", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
_KEPT = Place(Position.KEPT, on_front=True)
_OFF = Place(Position.OFF, on_front=False, rivals=(f"{FRONT}[q0]",))

# The p-values and the interval decide an outcome; the reports only repeat it.
_P = {
    Outcome.WORSE: (0.0004, 0.9998),
    Outcome.BETTER: (0.9998, 0.0004),
    Outcome.UNCHANGED: (0.9, 0.9),
    Outcome.NOT_WORSE: (0.97, 0.3),
    Outcome.INCONCLUSIVE: (0.21, 0.6),
}


def _compared(
    metric: Metric,
    levels: tuple[float, float],
    harm: tuple[float, float, float],
    outcome: Outcome,
    *,
    resolution: float,
    first: float | None = None,
    notes: tuple[str, ...] = (),
    **more: Any,
) -> MetricResult:
    """Return a compared metric; ``harm`` is estimate, low and high in the harmful direction."""
    p_worse, p_better = _P[outcome]
    change = Change(
        estimate=harm[0],
        low=harm[1],
        high=harm[2],
        tolerance=metric.tolerance,
        relative=metric.relative,
        alpha=0.05,
        p_worse=p_worse,
        p_better=p_better,
        resolution=resolution,
        **more,
    )
    assert change.outcome is outcome, f"a fixture contradicts itself: {change.outcome}"
    return MetricResult(metric, *levels, first=first, change=change, notes=notes)


def _case(
    name: str,
    verdict: Verdict,
    *metrics: MetricResult,
    fails: tuple[str, ...] = (),
    notices: tuple[str, ...] = (),
    place: Place = _KEPT,
    common: str | None = None,
    front: str = FRONT,
    **more: Any,
) -> CaseVerdict:
    """Return a judged case; its id is the front followed by ``name``."""
    case_id = front + name
    nodeid = case_id.partition("#")[0]
    comparison = CaseComparison(case_id, nodeid, front, metrics, **more)
    return CaseVerdict(comparison, verdict, place, fails, notices, common)


def _facts(**more: Any) -> SessionFacts:
    usual = SessionFacts(
        baseline_path="pareto_baselines/nvidia-h200x1",
        hardware_key="nvidia-h200x1",
        baseline_sessions=2,
        baseline_runs=10,
        runs=1,
        duration_s=212.3,
    )
    return replace(usual, **more)


def _attributed(
    result: MetricResult, *parts: Contribution, other: float = 0.0, unexplained: float = 0.0
) -> MetricResult:
    """Attribute the change of a metric to parts, the largest change first, and what is left."""
    total = sum(part.change for part in parts) + other + unexplained
    assert list(parts) == sorted(parts, key=lambda part: -abs(part.change))
    return replace(result, attribution=Attribution(parts, other, unexplained, total))


@pytest.fixture
def attributed() -> Callable[..., MetricResult]:
    return _attributed


@pytest.fixture
def slower() -> MetricResult:
    """A latency that is five times as long, with the parts that moved."""
    latency = _compared(
        LATENCY, (0.00414, 0.02019), (3.877, 3.1, 4.8), Outcome.WORSE, resolution=0.1
    )
    return _attributed(
        latency,
        Contribution("aten::addmm in Net.fc2", 0.0021, 0.0142, 1, 7),
        Contribution("aten::copy_ in Net.fc1", 0.0, 0.0032, None, 28, at_most=3e-5),
        Contribution("aten::relu in Net.act", 0.0015, 0.0003, 2, 2),
        Contribution("aten::mul in Net.scale", 0.0009, 0.0, 1, None),
        Contribution("aten::add in Net.fc1", 0.0, 0.0001, None, 1),
        other=0.0005,
        unexplained=0.00235,
    )


@pytest.fixture
def dispatched() -> MetricResult:
    """One dispatch more, and the operation that is new."""
    count = _compared(DISPATCHES, (44.0, 45.0), (1 / 44,) * 3, Outcome.WORSE, resolution=0.0)
    return _attributed(count, Contribution("aten::clone in Net.fc1", 3, 4))


@pytest.fixture
def compared() -> Callable[..., MetricResult]:
    return _compared


@pytest.fixture
def case() -> Callable[..., CaseVerdict]:
    return _case


@pytest.fixture
def facts() -> Callable[..., SessionFacts]:
    return _facts


def _latency(scale: float = 1.0, **more: Any) -> MetricResult:
    levels = (0.402 * scale, 0.404 * scale)
    return _compared(
        LATENCY, levels, (0.005, -0.02, 0.03), Outcome.UNCHANGED, resolution=0.09 * scale, **more
    )


def _accuracy(resolution: float = 0.02, **more: Any) -> MetricResult:
    harm = (0.001, -0.007, 0.009)
    return _compared(
        ACCURACY, (0.962, 0.961), harm, Outcome.UNCHANGED, resolution=resolution, pairs=400, **more
    )


def _quiet(name: str, scale: float = 1.0) -> CaseVerdict:
    memory = _compared(
        PEAK_MEMORY, (4.2e9, 4.2e9), (0.0, 0.0, 0.0), Outcome.UNCHANGED, resolution=0.01
    )
    place = _KEPT if name == "[q0]" else _OFF
    return _case(name, Verdict.UNCHANGED, _latency(scale), memory, _accuracy(), place=place)


def _lost() -> CaseVerdict:
    return _case(
        "[int8-20]",
        Verdict.WORSE,
        _compared(
            DEVICE_TIME, (0.2314, 0.2460), (0.063, 0.062, 0.064), Outcome.WORSE, resolution=0.011
        ),
        _compared(
            LATENCY, (0.402, 0.431), (0.072, 0.049, 0.096), Outcome.INCONCLUSIVE, resolution=0.12,
            reason="adjusted by the host reference",
        ),
        _accuracy(),
        fails=(
            "device_time got worse beyond its limit",
            f"it lost its place on the front: now dominated by {FRONT}[fp16-20]",
        ),
        place=Place(Position.LOST, on_front=False, rivals=(f"{FRONT}[fp16-20]",)),
    )  # fmt: skip


def _dominated() -> CaseVerdict:
    fallen = _compared(
        ACCURACY, (0.958, 0.931), (0.027, 0.014, 0.040), Outcome.WORSE, resolution=0.02,
        pairs=400, worst_ids=("p0173", "p0311", "p0042"),
    )  # fmt: skip
    return _case(
        "[cached-20]", Verdict.DOMINATED, _latency(), fallen,
        fails=("label_accuracy got worse beyond its limit",), place=_OFF,
    )  # fmt: skip


def _traded() -> CaseVerdict:
    return _case(
        "[fp16-10]",
        Verdict.TRADE_OFF,
        _compared(
            LATENCY, (0.212, 0.188), (-0.11, -0.13, -0.09), Outcome.BETTER, resolution=0.09
        ),
        _compared(
            ACCURACY, (0.941, 0.924), (0.017, 0.012, 0.022), Outcome.WORSE, resolution=0.02,
            pairs=400,
        ),
        notices=("label_accuracy traded for latency, within its bound",),
    )  # fmt: skip


def _undecided() -> CaseVerdict:
    return _case(
        "[ddim-4]",
        Verdict.INCONCLUSIVE,
        _compared(
            LATENCY, (0.061, 0.064), (0.048, -0.06, 0.17), Outcome.INCONCLUSIVE, resolution=0.19,
            df=6.2, p_convicting=0.84, first=12.31, notes=("the host drifts between runs",),
        ),
        _accuracy(),
    )  # fmt: skip


@pytest.fixture
def failing_run() -> tuple[Judgement, SessionFacts]:
    """One case of each kind that is reported on its own, and five unchanged ones."""
    quiet = [_quiet(f"[q{i}]", 1 + 0.1 * i) for i in range(5)]
    cases = (*quiet[:2], _undecided(), _traded(), _dominated(), _lost(), *quiet[2:])
    facts = _facts(
        differences=("torch 2.12.0 → 2.13.0",),
        assumptions=("sessions on this host differ by 4 % in latency",),
    )
    return Judgement(cases), facts


@pytest.fixture
def passing_run() -> tuple[Judgement, SessionFacts]:
    """Nine unchanged cases."""
    return Judgement(tuple(_quiet(f"[q{i}]", 1 + 0.1 * i) for i in range(9))), _facts()


def _fresh(name: str, reason: str = "nothing is recorded for apple-m3-max") -> CaseVerdict:
    result = MetricResult(LATENCY, candidate=0.4, first=1.2, state=Outcome.NEW, reason=reason)
    return _case(
        name, Verdict.NEW, result,
        notices=(f"latency has nothing to be compared with: {reason}",),
        place=Place(Position.AMBIGUOUS, reason="latency cannot be compared here"),
    )  # fmt: skip


@pytest.fixture
def first_run() -> tuple[Judgement, SessionFacts]:
    """Nine cases on a machine that has no baseline yet."""
    facts = _facts(
        baseline_path="pareto_baselines/apple-m3-max",
        hardware_key="apple-m3-max",
        baseline_sessions=0,
        baseline_runs=0,
    )
    return Judgement(tuple(_fresh(f"[n{i}]") for i in range(9))), facts


@pytest.fixture
def common_run() -> tuple[Judgement, SessionFacts]:
    """Forty cases with a common slowdown, which fails one of them, and five unchanged ones."""
    text = (
        "latency moved together in 40 of 45 cases: this session alone cannot tell a change "
        "of the code from one of the machine"
    )
    slower = _compared(
        LATENCY, (0.402, 0.4341), (0.08, 0.066, 0.094), Outcome.WORSE, resolution=0.07
    )
    members = [
        _case(
            f"[c{i}]", Verdict.DOMINATED, slower, _accuracy(),
            fails=(text,) if i == 7 else (), common="latency",
        )
        for i in range(40)
    ]  # fmt: skip
    ids = tuple(case.case_id for case in members)
    mode = CommonMode("latency", ids, total=45, estimate=0.08, harmful=True)
    quiet = [_quiet(f"[q{i}]") for i in range(5)]
    return Judgement((*members, *quiet), common_modes=(mode,)), _facts()


@pytest.fixture
def incomplete_run() -> tuple[Judgement, SessionFacts]:
    """A missing case, a broken one, and a failure of the session itself."""
    gone = _case(
        "[gone]", Verdict.MISSING, missing="the baseline has it, and this session did not run it",
        fails=("the baseline has it, and this session did not run it",),
        place=Place(Position.AMBIGUOUS, reason="this case cannot be compared here"),
    )  # fmt: skip
    broken = _case(
        "[nan]", Verdict.BROKEN,
        MetricResult(ACCURACY, baseline=0.962, state=Outcome.BROKEN, reason="nan at sample 'p7'"),
        fails=("label_accuracy: nan at sample 'p7'",),
        place=Place(Position.AMBIGUOUS, reason="label_accuracy cannot be compared here"),
    )  # fmt: skip
    judgement = Judgement(
        (_quiet("[q0]"), gone, broken),
        failures=(Failure("the worker gw1 crashed: what it measured is lost"),),
    )
    return judgement, _facts(partial="1 of 2 workers crashed", runs=5)


@pytest.fixture
def update_run() -> tuple[Judgement, SessionFacts]:
    """An update that accepts a worse case and records a new one."""
    slower = _case(
        "[cached-20]", Verdict.DOMINATED,
        _compared(
            LATENCY, (0.231, 0.462), (1.0, 0.95, 1.05), Outcome.WORSE, resolution=0.09
        ),
        notices=("accepted: latency got worse beyond its limit",),
    )  # fmt: skip
    edits = (
        f"{FRONT}[cached-20] latency: 231.0 → 462.0 ms, accepted although WORSE",
        f"{FRONT}[new] latency: new at 400.0 ms",
    )
    fresh = _fresh("[new]", "the baseline does not have this case")
    return Judgement((_quiet("[q0]"), fresh, slower)), _facts(updating=True, edits=edits, written=2)


@pytest.fixture(
    params=[
        "failing_run", "passing_run", "first_run", "common_run", "incomplete_run", "update_run",
    ]
)  # fmt: skip
def any_run(request: pytest.FixtureRequest) -> tuple[Judgement, SessionFacts]:
    run: tuple[Judgement, SessionFacts] = request.getfixturevalue(request.param)
    return run
