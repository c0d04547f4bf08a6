"""The study of metrics: which variants are compared, and which metrics are left out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_pareto.doctor.metric_model import FrontMetrics, MetricsReport
from pytest_pareto.doctor.metric_study import examine_metrics
from pytest_pareto.judge.holm import holm
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.metric import Better, Kind, Scope

QUALITY = np.array([0.0, 0.3, 0.6, 0.9, 1.2])
N = 200


def paired(values: Any, ids: Any = None, better: Better = Better.HIGHER) -> MetricHistory:
    scores = tuple(float(value) for value in values)
    names = tuple(f"s{i}" for i in range(len(scores))) if ids is None else tuple(ids)
    sessions = (Session("here", 0, (float(np.mean(scores)),)),)
    samples = Samples(names, scores)
    return MetricHistory("", better, Kind.PAIRED, Scope.ANYWHERE, sessions, samples)


def measured(
    *sessions: tuple[int, tuple[float, ...]], kind: Kind = Kind.RUN, unit: str = "s"
) -> MetricHistory:
    held = tuple(Session("here", epoch, runs) for epoch, runs in sessions)
    return MetricHistory(unit, Better.LOWER, kind, Scope.HOST, held)


def examine(*cases: dict[str, MetricHistory], front: str = "f") -> MetricsReport:
    held = {
        f"t.py::t[{i}]": CaseHistory(f"t.py::t[{i}]", front, "", metrics)
        for i, metrics in enumerate(cases)
    }
    return examine_metrics(Baseline("none", held, {}), alpha=0.05, correct=holm)


def only_front(*cases: dict[str, MetricHistory]) -> FrontMetrics:
    (front,) = examine(*cases).fronts
    return front


def task_scores(rng: np.random.Generator) -> NDArray[np.float64]:
    return QUALITY[:, None] + rng.standard_normal((len(QUALITY), N))


def test_a_noisy_generic_metric_ranks_below_a_task_metric() -> None:
    """The noise is independent for every image, so that pairing does not remove it."""
    rng = np.random.default_rng(1)
    task = task_scores(rng)
    generic = 0.2 * QUALITY[:, None] + 3 * rng.standard_normal(task.shape)
    front = only_front(
        *({"a_generic": paired(g), "task": paired(t)} for g, t in zip(generic, task, strict=True))
    )
    first, second = front.metrics
    assert (first.metric, second.metric) == ("task", "a_generic")
    assert first.separation.separated >= 8
    assert second.separation.separated <= 2
    assert first.separation.for_half < second.separation.for_half
    assert first.signal > 2 * second.signal
    assert first.ranking.best_stays > second.ranking.best_stays
    assert first.ranking.tau > second.ranking.tau


def test_noise_that_the_variants_share_is_removed_by_pairing() -> None:
    """Without pairing the same noise hides all differences; both results are reported."""
    rng = np.random.default_rng(2)
    task = task_scores(rng)
    shared = task + 30 * rng.standard_normal(N)
    front = only_front(
        *({"shared": paired(s), "task": paired(t)} for s, t in zip(shared, task, strict=True))
    )
    found = {metric.metric: metric for metric in front.metrics}
    assert found["shared"].paired == found["task"].paired
    assert found["shared"].unpaired.separated == 0
    assert found["shared"].needs_pairing
    assert not found["task"].needs_pairing
    (agreement,) = front.agreements
    assert agreement.tau == 1.0
    assert agreement.opposite == 0


def test_a_signal_from_one_variant_only() -> None:
    rng = np.random.default_rng(3)
    scores = rng.standard_normal((5, N)) + np.array([0.0, 0.0, 0.0, 0.0, -9.0])[:, None]
    (found,) = only_front(*({"score": paired(values)} for values in scores)).metrics
    assert found.depends_on_one
    assert found.main_variant == "t.py::t[4]"
    assert found.signal_without < 2 < found.signal
    even = task_scores(rng)
    (found,) = only_front(*({"score": paired(values)} for values in even)).metrics
    assert not found.depends_on_one


def test_lower_may_be_better() -> None:
    task = task_scores(np.random.default_rng(4))
    front = only_front(
        *({"loss": paired(-t, better=Better.LOWER), "score": paired(t)} for t in task),
    )
    assert [metric.ranking.best for metric in front.metrics] == [("t.py::t[4]",)] * 2
    assert front.agreements[0].tau == 1.0
    # The check can fail: read as higher is better, the order is reversed.
    front = only_front(*({"loss": paired(-t), "score": paired(t)} for t in task))
    (agreement,) = front.agreements
    assert agreement.tau == -1.0
    assert agreement.opposite == agreement.both > 0


def test_the_order_of_samples_does_not_matter_and_the_ids_do() -> None:
    rng = np.random.default_rng(5)
    scores = 9 * rng.standard_normal(N) + np.array([0.0, 0.5])[:, None]
    scores += rng.standard_normal(scores.shape)
    ids = [f"s{i}" for i in range(N)]
    (found,) = only_front(
        {"score": paired(scores[0], ids)}, {"score": paired(scores[1][::-1], ids[::-1])}
    ).metrics
    assert found.paired is not None
    assert found.paired.separated == 1
    (found,) = only_front({"score": paired(scores[0])}, {"score": paired(scores[1][::-1])}).metrics
    assert found.paired is not None
    assert found.paired.separated == 0


def test_variants_with_other_samples_are_excluded() -> None:
    task = task_scores(np.random.default_rng(6))
    odd = paired(task[3][:50], [f"s{i}" for i in range(190, 240)])
    held = [{"score": paired(values)} for values in task[:3]] + [{"score": odd}]
    front = only_front(*held)
    assert front.metrics[0].case_ids == ("t.py::t[0]", "t.py::t[1]", "t.py::t[2]")
    assert front.notes == (
        "score of t.py::t[3]: scored on other samples (10 of its 50 are the others' too)",
    )


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ([], None),
        (
            [{"score": paired([0.1, 0.2])}],
            "t.py::t[0]: alone on its front, with nothing to be told from; cases that compete "
            'share @pytest.mark.pareto(front="...")',
        ),
        (
            [{"score": paired([0.1, 0.2])}, {"score": paired([0.1, 0.3], ["x", "y"])}],
            "front f: score of t.py::t[1]: scored on other samples (0 of its 2 are the others' "
            "too); score of t.py::t[0]: there is no other variant to tell it from",
        ),
        (
            [{"score": paired([0.1])}, {"score": paired([0.2])}],
            "front f: score of t.py::t[0], t.py::t[1]: one sample has no spread; 100 or more say "
            "much",
        ),
        (
            [{"flops": measured((0, (5.0,)), kind=Kind.EXACT)} for _ in range(2)],
            "front f: flops: repeatable: it differs or it does not, without any noise",
        ),
        (
            [{"latency": measured((0, (5.0,)))} for _ in range(2)],
            "front f: latency of t.py::t[0], t.py::t[1]: one run has no spread; record it with "
            "--pareto-runs 5",
        ),
        (
            [{"latency": measured((0, (0.0, 1.0)))}, {"latency": measured((0, (2.0, 1.0)))}],
            "front f: latency of t.py::t[0]: recorded as 0, which has no ratio; latency of "
            "t.py::t[1]: there is no other variant to tell it from",
        ),
        (
            [{"fid": measured((0, (level,) * 5))} for level in (9.1, 9.3, 9.0, 9.1)],
            "front f: fid: its runs repeat: it differs or it does not, without any noise; record "
            "scores per sample",
        ),
        (
            [{"latency": measured((0, (level,) * 5))} for level in (0.1, 0.2)],
            "front f: latency: its runs repeat: it differs or it does not, without any noise",
        ),
        (
            [{"event_time": measured((0, (5.0, 5.1)))} for _ in range(2)],
            "front f: event_time: a diagnostic of the machine, no score of a variant",
        ),
        ([{}, {}], "front f: it holds no metric"),
    ],
)
def test_cases_and_fronts_without_results(
    cases: list[dict[str, MetricHistory]], reason: str
) -> None:
    report = examine(*cases)
    assert report.fronts == ()
    assert report.left_out == ((reason,) if reason else ())


def test_variants_with_another_kind_or_direction_are_left_out() -> None:
    task = task_scores(np.random.default_rng(7))
    other = replace(paired(task[2]), better=Better.LOWER)
    held = ({"score": paired(task[0])}, {"score": paired(task[1])}, {"score": other})
    front = only_front(*held)
    assert front.metrics[0].case_ids == ("t.py::t[0]", "t.py::t[1]")
    note = "score of t.py::t[2]: recorded as paired, lower is better, unlike the others"
    assert front.notes == (note,)


def test_identical_scores_have_no_separation() -> None:
    (found,) = only_front(*({"score": paired(np.ones(50))} for _ in range(3))).metrics
    assert found.all_equal
    assert (found.separation.separated, found.signal, found.main_variant is None) == (0, 0.0, False)
    assert found.ranking.best == found.case_ids


def test_runs_are_compared_as_ratios_at_the_level_accepted_now() -> None:
    slow = measured((0, (9.0, 9.1)), (1, (2.0, 2.02, 1.98)), (1, (2.01,)))
    fast = measured((0, (1.0, 1.02, 0.98, 1.01)))
    (found,) = only_front({"latency": slow}, {"latency": fast}).metrics
    assert (found.n, found.paired, found.unpaired.separated) == (4, None, 1)
    assert found.ranking.best == ("t.py::t[1]",)


def test_one_variant_without_spread_is_compared_with_others() -> None:
    rng = np.random.default_rng(10)
    (found,) = only_front(
        {"fid": measured((0, (9.0,) * 5))},
        *({"fid": measured((0, tuple(rng.normal(9.0, 0.5, 5).tolist())))} for _ in range(2)),
    ).metrics
    assert (found.n, found.separation.pairs) == (5, 3)


def test_rankings_are_compared_on_the_shared_variants() -> None:
    task = task_scores(np.random.default_rng(8))
    held = [{"score": paired(values)} for values in task]
    for case, values in zip(held[1:], task[1:], strict=True):
        case["loss"] = paired(-values)
    (agreement,) = only_front(*held).agreements
    assert (agreement.variants, agreement.tau) == (4, -1.0)


@pytest.mark.parametrize("unit", [1e-200, 1e-120, 1e100, 1e149])
def test_the_unit_of_the_scores_does_not_matter(unit: float) -> None:
    rng = np.random.default_rng(11)
    noise, task = rng.standard_normal((5, N)), task_scores(rng)
    runs = rng.normal(9.0, 0.5, (5, 6))

    def in_unit(unit: float) -> FrontMetrics:
        return only_front(
            *(
                {
                    "noise": paired(n * unit),
                    "task": paired(t * unit),
                    "fid": measured((0, tuple((r * unit).tolist()))),
                }
                for n, t, r in zip(noise, task, runs, strict=True)
            )
        )

    expected, scaled = (
        {metric.metric: metric for metric in in_unit(u).metrics} for u in (1.0, unit)
    )
    for name, metric in expected.items():
        assert scaled[name].separation == metric.separation
        assert scaled[name].unpaired == metric.unpaired
        assert scaled[name].signal == pytest.approx(metric.signal)
        assert scaled[name].ranking.best == metric.ranking.best
        assert scaled[name].ranking.tau == pytest.approx(metric.ranking.tau, abs=0.01)
    assert (expected["noise"].separation.separated, expected["fid"].separation.separated) == (0, 0)
    assert expected["task"].separation.separated > 7


def test_the_study_is_reproducible() -> None:
    task = task_scores(np.random.default_rng(9))
    held = [{"score": paired(values)} for values in task]
    assert examine(*held) == examine(*held)


def test_grades_are_left_out_with_the_reason() -> None:
    """The gate finds the first one better, as most samples do; by the mean it would be worse."""
    rng = np.random.default_rng(4)
    second = rng.integers(5, 9, 100).astype(float)
    first = second + np.where(np.arange(100) < 70, 1.0, -4.0)
    grades = [replace(paired(values), kind=Kind.ORDINAL) for values in (first, second)]
    scores = rng.standard_normal((2, N))
    front = only_front(
        *({"grade": g, "score": paired(s)} for g, s in zip(grades, scores, strict=True))
    )
    assert [metric.metric for metric in front.metrics] == ["score"]
    assert front.notes == (
        "grade: grades: their order is judged by the gate; how well they tell variants apart is "
        "not examined",
    )


def test_set_metrics_are_left_out_with_the_reason() -> None:
    blocks = replace(paired(np.arange(20.0)), kind=Kind.SET)
    scores = np.random.default_rng(5).standard_normal((2, N))
    front = only_front(*({"fid": blocks, "score": paired(s)} for s in scores))
    assert [metric.metric for metric in front.metrics] == ["score"]
    (note,) = front.notes
    assert note.startswith("fid: one number of all samples")
