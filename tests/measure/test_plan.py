import pytest

from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.errors import ParetoError


@pytest.mark.parametrize(
    ("done", "elapsed_s", "wanted"),
    [
        (0, 0.0, True),
        (1, 9.0, True),  # at least two, whatever they take
        (2, 9.0, False),
        (2, 0.49, True),
        (2, 0.5, False),
        (19, 0.0, True),
        (20, 0.0, False),  # at most twenty, however quick they are
    ],
)
def test_warm_up_has_a_least_a_time_and_a_most(done: int, elapsed_s: float, wanted: bool) -> None:
    assert LoopPlan().wants_warmup(done, elapsed_s) is wanted


@pytest.mark.parametrize(
    ("done", "elapsed_s", "wanted"),
    [
        (0, 0.0, True),
        (4, 99.0, True),
        (5, 99.0, False),
        (5, 1.99, True),
        (5, 2.0, False),
        (99, 0.0, True),
        (100, 0.0, False),
    ],
)
def test_rounds_have_a_least_a_time_and_a_most(done: int, elapsed_s: float, wanted: bool) -> None:
    assert LoopPlan().wants_round(done, elapsed_s) is wanted


def test_exact_counts_need_no_clock() -> None:
    plan = LoopPlan(rounds=3, warmup=0)
    assert not plan.wants_warmup(0, 0.0)
    assert plan.wants_round(2, 1e9)
    assert not plan.wants_round(3, 0.0)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"rounds": 0}, "rounds must be a whole number >= 1, not 0"),
        ({"rounds": True}, "rounds must be a whole number >= 1, not True"),
        ({"rounds": 2.5}, "rounds must be a whole number >= 1, not 2.5"),
        ({"warmup": -1}, "warmup must be a whole number >= 0, not -1"),
        ({"min_rounds": 7, "max_rounds": 6}, "max_rounds must be a whole number >= 7, not 6"),
        ({"min_warmup": 3, "max_warmup": 2}, "max_warmup must be a whole number >= 3, not 2"),
        ({"max_seconds": float("nan")}, "max_seconds must be a time in seconds >= 0, not nan"),
        ({"warmup_seconds": -1.0}, "warmup_seconds must be a time in seconds >= 0, not -1.0"),
    ],
)
def test_an_invalid_bound_is_rejected(bounds: dict[str, int], message: str) -> None:
    with pytest.raises(ParetoError, match=f"^{message}$"):
        LoopPlan(**bounds)
