import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Bound, Budget, parse_budget


@pytest.mark.parametrize(
    ("text", "ceiling", "limit", "unit"),
    [
        (">= 0.90", False, 0.9, ""),
        ("<=0.5s", True, 0.5, "s"),
        ("<= 250 ms", True, 0.25, "s"),
        ("<= 250 us", True, 250e-6, "s"),
        ("<= 250 µs", True, 250e-6, "s"),
        ("<= 3 mJ", True, 0.003, "J"),
        ("<= 3 kJ", True, 3000.0, "J"),
        ("<= 1.5 GB", True, 1.5e9, "B"),
        ("<= 1.5 GiB", True, 1.5 * 2**30, "B"),
        ("<= 2e3 count", True, 2000.0, "count"),
        (">= 90 %", False, 0.9, "%"),
        (">= -1.5", False, -1.5, ""),
        ("  >=  +.5e-1  ", False, 0.05, ""),
    ],
)
def test_a_budget_is_read_in_si(text: str, ceiling: bool, limit: float, unit: str) -> None:
    budget = parse_budget("m", text)
    (bound,) = budget.bounds
    assert bound.limit == pytest.approx(limit)
    assert budget == Budget("m", (Bound(ceiling, bound.limit),), unit, text.strip())


@pytest.mark.parametrize("text", [">= 20 ms, <= 30 ms", "<= 30 ms , >= 0.02 s"])
def test_a_floor_and_a_ceiling_go_together(text: str) -> None:
    budget = parse_budget("m", text)
    assert sorted((b.ceiling, b.limit) for b in budget.bounds) == [(False, 0.02), (True, 0.03)]
    assert (budget.unit, budget.text) == ("s", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">= 30 ms, <= 20 ms", "nothing is above its floor and below its ceiling"),
        (">= 20, <= 30 ms", "units of one kind"),
        (">= 20 ms, <= 30 MB", "units of one kind"),
        (">= 20 ms, >= 30 ms", "one floor and one ceiling"),
        (">= 1, <= 2, <= 3", "one floor and one ceiling"),
        (">= 0.9,", "write a string such as"),
    ],
)
def test_two_inconsistent_bounds_are_refused(text: str, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        parse_budget("m", text)


@pytest.mark.parametrize(
    "text",
    ["", "0.9", "< 0.9", "== 0.9", ">= high", ">= 0.9 furlong", ">= nan", ">= 0.9 <= 1", 0.9, None],
)
def test_another_form_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ParetoError, match=r"budget of 'm' is .*write a string such as '>= 0.90'"):
        parse_budget("m", text)


def test_an_unknown_unit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParetoError, match=r"units: s, ms, .*GiB, count, %"):
        parse_budget("m", "<= 1 parsec")


@pytest.mark.parametrize("text", [">= .", ">= 1.2.3", "<= . ms"])
def test_dots_alone_are_refused(text: str) -> None:
    with pytest.raises(ParetoError, match="is not a number"):
        parse_budget("m", text)


@given(st.floats(-1e12, 1e12), st.sampled_from(["<=", ">="]))
def test_any_finite_number_is_read_back(limit: float, comparison: str) -> None:
    budget = parse_budget("m", f"{comparison} {limit!r}")
    assert budget.bounds == (Bound(comparison == "<=", limit),)


@given(st.text(max_size=12))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        budget = parse_budget("m", text)
    except ParetoError:
        return
    assert budget.text == text.strip()


def test_an_infinite_bound_is_refused() -> None:
    with pytest.raises(ParetoError, match="is no finite number"):
        parse_budget("m", ">= 1e999")
