"""Golden text of the lines that say why a metric moved, and which verbosity shows them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_pareto.model.attribution import Contribution
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import DISPATCHES, LATENCY, LAUNCHES, PEAK_MEMORY, TIME_PER_ITEM
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult, Verdict
from pytest_pareto.report.fronts import build_case
from pytest_pareto.report.terminal import failure_text, render_terminal
from pytest_pareto.report.text import display_width

Cased = Callable[..., CaseVerdict]
Compared = Callable[..., MetricResult]
Attributed = Callable[..., MetricResult]
FAILS = ("latency got worse beyond its limit",)
WHY = (
    "      why: +12.1 ms  aten::addmm in Net.fc2: 2.1 → 14.2 ms, 1 → 7 times",
    "           +3.17 ms  aten::copy_ in Net.fc1: new, or under 0.03 ms before",
    "            −1.2 ms  aten::relu in Net.act: 1.5 → 0.3 ms",
    "           +2.35 ms  not in the profile",
)


def why_lines(case: CaseVerdict, verbosity: int = 0) -> list[str]:
    """Return the lines from "why:" on that belong to it, as the session's report has them."""
    facts = SessionFacts("b", "h", 1, 5, 5, 1.0)
    lines = render_terminal(Judgement((case,)), facts, verbosity=verbosity, plot=False, width=80)
    texts = [line.text for line in lines]
    found: list[str] = []
    for text in texts:
        if text.startswith("      why: ") or (found and text.startswith(" " * 11)):
            found.append(text)
    return found


def blind(result: MetricResult) -> MetricResult:
    return replace(result, attribution=None)


def test_a_failed_test_says_why(case: Cased, slower: MetricResult) -> None:
    _, text = failure_text(case("[a]", Verdict.WORSE, slower, fails=FAILS))
    assert text == dedent(
        """\
                 baseline →   now     change (90 %)    limit  outcome
          test_sd.py::test_generate[a]                        WORSE
            latency  4.14 → 20.19 ms  ×4.9 [×4.1, ×5.8]  5 %  WORSE
              why: +12.1 ms  aten::addmm in Net.fc2: 2.1 → 14.2 ms, 1 → 7 times
                   +3.17 ms  aten::copy_ in Net.fc1: new, or under 0.03 ms before
                    −1.2 ms  aten::relu in Net.act: 1.5 → 0.3 ms
                   +2.35 ms  not in the profile
            fails: latency got worse beyond its limit

        to look closer:
          pytest 'test_sd.py::test_generate[a]' --pareto --pareto-runs=5 -v
        to accept:  pytest 'test_sd.py::test_generate[a]' --pareto --pareto-update"""
    )


def test_the_session_says_it_too(case: Cased, slower: MetricResult) -> None:
    assert why_lines(case("[a]", Verdict.WORSE, slower, fails=FAILS)) == [*WHY]
    assert why_lines(case("[a]", Verdict.WORSE, blind(slower), fails=FAILS)) == []


def test_the_reference_shows_what_is_printed() -> None:
    reference = Path(__file__).parents[2] / "docs" / "reference.md"
    assert "\n".join(WHY) in reference.read_text(encoding="utf-8")


def test_with_v_more_parts_are_shown(case: Cased, slower: MetricResult) -> None:
    judged = case("[a]", Verdict.WORSE, slower, fails=FAILS)
    gone = "            −0.9 ms  aten::mul in Net.scale: gone"
    assert why_lines(judged, 1) == [*WHY[:3], gone, WHY[3]]


@pytest.mark.parametrize("outcome", [Outcome.BETTER, Outcome.INCONCLUSIVE])
def test_what_is_not_worse_is_explained_with_v_only(
    case: Cased, compared: Compared, slower: MetricResult, outcome: Outcome
) -> None:
    """Improvements, and regressions that are only suspected."""
    harm = (-0.5, -0.6, -0.4) if outcome is Outcome.BETTER else (0.2, 0.1, 0.3)
    latency = compared(LATENCY, (0.4, 0.2), harm, outcome, resolution=0.1)
    moved = replace(latency, attribution=slower.attribution)
    judged = case("[a]", Verdict.IMPROVED, moved, notices=("told",))
    assert why_lines(judged) == []
    assert why_lines(judged, 1)[0] == WHY[0]


def test_a_diagnostic_is_explained_with_v_only(case: Cased, dispatched: MetricResult) -> None:
    judged = case("[a]", Verdict.UNCHANGED, dispatched, notices=("told",))
    expected = "      why: +1  aten::clone in Net.fc1: 3 → 4"
    assert why_lines(judged) == []
    assert why_lines(judged, 1) == [expected]
    gated = replace(dispatched, metric=replace(DISPATCHES, gates=True))
    assert why_lines(case("[a]", Verdict.WORSE, gated, fails=("x",))) == [expected]


def test_a_host_count_explains_a_time_without_parts(
    case: Cased, slower: MetricResult, dispatched: MetricResult
) -> None:
    judged = case("[a]", Verdict.WORSE, blind(slower), dispatched, fails=FAILS)
    instead = [
        "      why: 44 → 45 dispatches",
        "           +1  aten::clone in Net.fc1: 3 → 4",
    ]
    assert why_lines(judged) == instead
    # With -v the row of the count itself has them.
    assert why_lines(judged, 1) == ["      why: +1  aten::clone in Net.fc1: 3 → 4"]
    # A time whose parts are known needs no other explanation, nor does a case that passes.
    known = case("[a]", Verdict.WORSE, slower, dispatched, fails=FAILS)
    assert why_lines(known) == [*WHY]
    passing = case("[a]", Verdict.WORSE, blind(slower), dispatched, notices=("let through",))
    assert why_lines(passing) == []


def test_only_the_first_time_is_explained_by_a_host_count(
    case: Cased, slower: MetricResult, dispatched: MetricResult
) -> None:
    second = replace(blind(slower), metric=TIME_PER_ITEM)
    judged = case("[a]", Verdict.WORSE, blind(slower), second, dispatched, fails=FAILS)
    first, other, _ = build_case(judged).rows
    assert first.why is not None
    assert first.why.instead == "44 → 45 dispatches"
    assert other.why is None


def test_a_host_count_explains_no_memory(
    case: Cased, compared: Compared, dispatched: MetricResult
) -> None:
    memory = compared(PEAK_MEMORY, (1e9, 2e9), (1.0, 1.0, 1.0), Outcome.WORSE, resolution=0.01)
    judged = case("[a]", Verdict.WORSE, memory, dispatched, fails=("peak_memory got worse",))
    assert why_lines(judged) == []


def test_a_count_that_fails_by_itself_explains_no_time(
    case: Cased, slower: MetricResult, dispatched: MetricResult
) -> None:
    gated = replace(dispatched, metric=replace(DISPATCHES, gates=True))
    judged = case("[a]", Verdict.WORSE, blind(slower), gated, fails=FAILS)
    assert why_lines(judged) == ["      why: +1  aten::clone in Net.fc1: 3 → 4"]


@pytest.mark.parametrize(
    ("launches", "instead"),
    [
        ((40.0, 44.0), "40 → 44 launches"),
        ((400.0, 401.0), "44 → 45 dispatches"),
        ((40.0, 10.0), "44 → 45 dispatches"),
        ((0.0, 1.0), "0 → 1 launches"),
    ],
)
def test_the_count_that_grew_by_the_largest_share_explains(
    case: Cased,
    slower: MetricResult,
    dispatched: MetricResult,
    attributed: Attributed,
    launches: tuple[float, float],
    instead: str,
) -> None:
    change = replace(dispatched, metric=LAUNCHES, baseline=launches[0], candidate=launches[1])
    other = attributed(change, Contribution("a kernel", *launches))
    judged = case("[a]", Verdict.WORSE, blind(slower), dispatched, other, fails=FAILS)
    (why,) = (row.why for row in build_case(judged).rows if row.gates)
    assert why is not None
    assert why.instead == instead


def test_a_long_name_is_wrapped_below_itself(
    case: Cased, compared: Compared, attributed: Attributed
) -> None:
    latency = compared(LATENCY, (0.1, 0.2), (1.0, 0.9, 1.1), Outcome.WORSE, resolution=0.1)
    name = "aten::scaled_dot_product_attention in UNet.mid.attentions.*.transformer"
    moved = attributed(
        latency, Contribution(name, 0.1, 0.2, 1, 2), Contribution("模" * 40, 0, 0.01)
    )
    lines = why_lines(case("[a]", Verdict.WORSE, moved, fails=FAILS))
    assert lines == [
        "      why: +100 ms  aten::scaled_dot_product_attention in",
        "                    UNet.mid.attentions.*.transformer: 100 → 200 ms, 1 → 2 times",
        "            +10 ms  " + "模" * 30,
        "                    " + "模" * 10 + ": new",
    ]
    assert max(map(display_width, lines)) == 80
