"""The newest session of a baseline as runs."""

from dataclasses import replace

from pytest_pareto.baseline.sources import newest_runs
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope
from tests.sessions import HERE, SCORE

OTHER_CPU = replace(HERE, cpu_model="Xeon")


def history(metric: Metric, *sessions: Session, samples: Samples | None = None) -> MetricHistory:
    return MetricHistory(
        metric.unit, metric.better, metric.kind, metric.scope, sessions, samples, metric.gates
    )


def baseline(**metrics: MetricHistory) -> Baseline:
    case = CaseHistory("m.py::a[#]", "f", "s", metrics)
    return Baseline("k", {case.case_id: case}, {"here": HERE, "other": OTHER_CPU})


def values(name: str, past: Baseline, policies: dict[tuple[str, str], Metric] | None = None):  # type: ignore[no-untyped-def]  # a list of readings
    runs = newest_runs(past, policies or {})
    found = [run.cases["m.py::a[#]"].measurement(name) for run in runs]
    return [m and (m.absent or m.values) for m in found]


def test_the_newest_session_is_used() -> None:
    old, new = Session("here", 0, (9.0, 9.0, 9.0)), Session("here", 1, (1.0, 2.0), (0.1, 0.2))
    past = baseline(latency=history(LATENCY, old, new))
    assert values("latency", past) == [(1.0,), (2.0,)]
    assert values("host_reference", past) == [(0.1,), (0.2,)]


def test_an_exact_value_written_once_is_in_every_run() -> None:
    three = history(LATENCY, Session("here", 0, (1.0, 2.0, 3.0)))
    memory = history(PEAK_MEMORY, Session("here", 0, (4e9,)))
    score = history(SCORE, Session("here", 0, (0.5,)), samples=Samples(("s0", "s1"), (0.4, 0.6)))
    past = baseline(latency=three, peak_memory=memory, score=score)
    assert values("peak_memory", past) == [(4e9,)] * 3
    assert values("score", past) == [(0.4, 0.6), *["its newest session has no more runs"] * 2]


def test_what_a_level_consists_of_goes_with_it() -> None:
    parts = Breakdown((Part("aten::mm", 0.5),))
    latency = history(LATENCY, Session("here", 0, (1.0,), (0.1,)))
    score = history(SCORE, Session("here", 0, (0.5,)), samples=Samples(("s0", "s1"), (0.4, 0.6)))
    past = baseline(
        latency=replace(latency, breakdown=parts), score=replace(score, breakdown=parts)
    )
    (run,) = newest_runs(past, {})
    found = {m.metric.name: m.breakdown for m in run.cases["m.py::a[#]"].measurements}
    assert found == {"latency": parts, "host_reference": None, "score": parts}


def test_metrics_of_another_host_are_absent_if_their_scope_forbids_it() -> None:
    here = Session("here", 0, (1.0,))
    past = baseline(
        a=history(SCORE, here, samples=Samples(("s",), (1.0,))),
        b=history(PEAK_MEMORY, here),
        latency=history(LATENCY, Session("other", 0, (1.0,))),
        energy=history(replace(PEAK_MEMORY, unit="J"), Session("other", 0, (2.0,))),
    )
    (found,) = values("latency", past)
    assert "its newest session is of another machine: CPU is EPYC here, Xeon" in found
    assert values("energy", past) == [(2.0,)]


def test_tolerances_come_from_the_other_side_or_the_built_in_metrics() -> None:
    own = Metric("q", "", Better.HIGHER, Kind.RUN, Scope.GPU, 0.02, relative=False)
    past = baseline(
        latency=history(LATENCY, Session("here", 0, (1.0,))),
        q=history(own, Session("here", 0, (1.0,))),
    )

    def metric(name: str, policies: dict[tuple[str, str], Metric]) -> Metric:
        (run,) = newest_runs(past, policies)
        found = run.cases["m.py::a[#]"].measurement(name)
        assert found is not None
        return found.metric

    assert metric("latency", {}).tolerance == 0.05
    assert metric("q", {}).tolerance == 0.0
    assert metric("q", {("m.py::a[#]", "q"): own}).tolerance == 0.02
    turned = replace(own, better=Better.LOWER)
    assert metric("q", {("m.py::a[#]", "q"): turned}).better is Better.HIGHER
