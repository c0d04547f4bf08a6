import pytest

from pytest_pareto.compare.levels import cut_to_one_look, mean_scores
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import Looks, Measurement

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
ORDER = tuple("dabec")


def looked(at: int, start: float = 0.0, planned: int = 5, seed: int = 1) -> Measurement:
    looks = Looks(5, planned, at, seed)
    values = tuple(start + i for i in range(looks.used))
    return Measurement(SCORE, values, ORDER[: looks.used], looks=looks)


def test_scores_are_averaged_by_id_whatever_the_order() -> None:
    first = Measurement(SCORE, (1.0, 2.0), ("a", "b"))
    second = Measurement(SCORE, (4.0, 3.0), ("b", "a"))
    means = mean_scores([first, second])
    assert dict(zip(means.ids, means.values, strict=True)) == {"a": 2.0, "b": 3.0}


def test_runs_of_other_samples_are_refused() -> None:
    first, second = Measurement(SCORE, (1.0,), ("a",)), Measurement(SCORE, (1.0,), ("b",))
    with pytest.raises(ParetoError, match="scored different samples"):
        mean_scores([first, second])


def test_what_was_never_looked_at_stays_as_it_is() -> None:
    found = [Measurement(SCORE, (1.0,), ("a",)), Measurement(SCORE, (2.0,), ("a",))]
    assert cut_to_one_look(found) is found


def test_the_run_that_stopped_first_sets_the_look_of_all() -> None:
    cut = cut_to_one_look([looked(4), looked(2, start=10.0)])
    assert [m.ids for m in cut] == [("d", "a"), ("d", "a")]
    assert [m.values for m in cut] == [(0.0, 1.0), (10.0, 11.0)]
    assert {m.looks for m in cut} == {Looks(5, 5, 2, 1)}


@pytest.mark.parametrize("other", [looked(2, planned=4), looked(2, seed=2)])
def test_runs_that_planned_other_looks_are_refused(other: Measurement) -> None:
    with pytest.raises(ParetoError, match="planned different looks"):
        cut_to_one_look([looked(3), other])
    with pytest.raises(ParetoError, match="planned different looks"):
        cut_to_one_look([looked(3), Measurement(SCORE, (1.0,), ("d",))])


def test_other_samples_at_the_same_look_are_refused() -> None:
    looks = Looks(5, 5, 2, 1)
    other = Measurement(SCORE, (1.0, 2.0), ("x", "y"), looks=looks)
    with pytest.raises(ParetoError, match="scored different samples"):
        cut_to_one_look([looked(3), other])
