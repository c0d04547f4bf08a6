"""Property tests of any session: lines fit, text is escaped, no failing case is left out."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pareto.model.attribution import Attribution, Contribution
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    BudgetResult,
    CaseComparison,
    CaseVerdict,
    CommonMode,
    Failure,
    Judgement,
    MetricResult,
    Place,
    Position,
    RuleChange,
    RuleKind,
    Verdict,
)
from pytest_pareto.report.terminal import failure_text, render_terminal
from pytest_pareto.report.text import clean

# Every kind of character: wide, combining, right-to-left, control, surrogate.
odd = st.sampled_from("模型한あ\x1b\n\r\t\u202e\u0301[]:#'\"$ ")
characters = st.one_of(st.characters(), odd)
words = st.text(characters, max_size=12)
long_words = st.text(characters, max_size=120)
# Names are text that a file can hold; reasons may be the message of any exception.
name_characters = st.one_of(st.characters(exclude_categories=["Cs"]), odd)
names = st.text(name_characters, min_size=1, max_size=120)
units = st.text(name_characters, max_size=12)
reasons = st.one_of(st.none(), long_words)
numbers = st.one_of(st.floats(1e-9, 1e12), st.sampled_from([0.0, 0.25, 1.0]))
probabilities = st.floats(0, 1)
signed = st.one_of(st.floats(-1e12, 1e12), st.sampled_from([0.0, -0.25, 1.0]))
counts = st.none() | st.floats(0, 1e9) | st.integers(0, 99)
parts = st.builds(
    Contribution, st.one_of(words, long_words), signed, signed, counts, counts, numbers
)
attributions = st.builds(
    Attribution,
    st.lists(parts, max_size=12).map(
        lambda found: tuple(sorted(found, key=lambda part: -abs(part.change)))
    ),
    signed,
    signed,
    signed,
)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    return Metric(
        draw(names),
        draw(st.sampled_from(["s", "J", "B", "count", "", "dB"]) | units),
        draw(st.sampled_from(Better)),
        draw(st.sampled_from(Kind)),
        draw(st.sampled_from(Scope)),
        draw(st.floats(0, 2)),
        relative=draw(st.booleans()),
        gates=draw(st.booleans()),
    )


@st.composite
def results(draw: st.DrawFn) -> MetricResult:
    metric = draw(metrics())
    if draw(st.booleans()):
        state = draw(st.sampled_from(list(Outcome)[5:]))
        levels = draw(st.tuples(st.none() | numbers, st.none() | numbers))
        return MetricResult(metric, *levels, state=state, reason=draw(reasons))
    estimate = draw(st.floats(-0.99, 50))
    half = draw(st.one_of(st.floats(0, 20), st.just(float("inf"))))
    change = Change(
        estimate,
        max(-0.999, estimate - half) if metric.relative and half < 1e9 else estimate - half,
        estimate + half,
        metric.tolerance,
        metric.relative,
        0.05,
        draw(probabilities),
        draw(probabilities),
        draw(st.one_of(st.floats(0, 9), st.just(float("inf")))),
        draw(st.none() | probabilities),
        draw(st.none() | st.floats(1, 30)),
        draw(st.none() | st.integers(1, 500)),
        draw(reasons),
        draw(st.none() | st.integers(1, 100)),
        tuple(draw(st.lists(words, max_size=3))),
    )
    notes = tuple(draw(st.lists(long_words, max_size=2)))
    attribution = draw(st.none() | attributions)
    first = draw(st.none() | numbers)
    return MetricResult(
        metric, draw(numbers), draw(numbers), first, change, notes=notes, attribution=attribution
    )


places = st.builds(
    Place,
    st.sampled_from(Position),
    st.sampled_from([True, False, None]),
    st.lists(words, max_size=2).map(tuple),
    reasons,
)
budgets = st.builds(
    BudgetResult, words, words, st.none() | numbers, st.sampled_from([True, False, None]), reasons
)
texts = st.lists(long_words, max_size=2).map(tuple)
rules = st.lists(
    st.builds(
        RuleChange,
        st.sampled_from(RuleKind),
        long_words,
        st.none() | long_words,
        words,
        words,
        st.sampled_from([True, None, False]),
    ),
    max_size=6,
).map(tuple)


@st.composite
def judgements(draw: st.DrawFn, names: st.SearchStrategy[str]) -> Judgement:
    cases: list[CaseVerdict] = []
    for name in draw(st.lists(names, max_size=4, unique=True)):
        front = draw(st.sampled_from(["t.py::test_x", "digits", "模型" * 50]))
        nodeid = draw(st.sampled_from(["t.py::test_x", "other.py::test_y"])) + f"[{name}]"
        found = {r.metric.name: r for r in draw(st.lists(results(), max_size=3))}
        comparison = CaseComparison(
            nodeid,
            nodeid,
            front,
            tuple(found.values()),
            draw(st.booleans()),
            tuple(draw(st.lists(budgets, max_size=1))),
            draw(texts),
            missing=draw(reasons),
        )
        verdict = draw(st.sampled_from(Verdict))
        common = draw(st.sampled_from([None, "m"]))
        cases.append(
            CaseVerdict(comparison, verdict, draw(places), draw(texts), draw(texts), common)
        )
    together = tuple(case.case_id for case in cases if case.common)
    modes = (CommonMode("m", together, len(cases), draw(st.floats(-0.9, 3)), harmful=True),)
    return Judgement(
        tuple(cases),
        tuple(map(Failure, draw(texts))),
        draw(texts),
        modes if together else (),
        rules=draw(rules),
    )


@st.composite
def facts(draw: st.DrawFn) -> SessionFacts:
    return SessionFacts(
        draw(long_words),
        draw(words),
        draw(st.integers(0, 3)),
        10,
        draw(st.integers(1, 6)),
        draw(st.floats(0, 1e5)),
        draw(texts),
        draw(reasons),
        draw(st.booleans()),
        draw(texts),
        draw(st.integers(0, 9)),
        draw(st.booleans()),
        draw(reasons),
        draw(reasons),
        draw(reasons),
        draw(texts),
    )


def cells(text: str) -> int:
    """Return the width by the Unicode standard, independent of the code under test."""
    marks = ("Mn", "Me")
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
        if unicodedata.category(c) not in marks
    )


def rendered(judgement: Judgement, session: SessionFacts, verbosity: int, width: int) -> list[str]:
    lines = render_terminal(judgement, session, verbosity=verbosity, plot=True, width=width)
    return [line.text for line in lines]


@given(judgements(words), facts(), st.integers(-1, 2), st.integers(40, 120))
@settings(max_examples=60, deadline=None)
def test_lines_fit_and_control_nothing(
    judgement: Judgement, session: SessionFacts, verbosity: int, width: int
) -> None:
    lines = rendered(judgement, session, verbosity, width)
    for line in lines:
        assert cells(line) <= width
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in line)
    if verbosity < 0:
        assert len(lines) == 1


@given(judgements(st.text(characters, max_size=8)), facts(), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_no_failing_case_is_left_out(
    judgement: Judgement, session: SessionFacts, verbosity: int
) -> None:
    lines = render_terminal(judgement, session, verbosity=verbosity, plot=False, width=120)
    shown = "".join("".join(line.text for line in lines).split())
    for case in judgement.cases:
        if case.fails:
            name = case.case_id[case.case_id.index("[") :]
            assert "".join(clean(name).split()) in shown
    assert (lines[0].text.startswith("FAIL")) is judgement.failed


@given(judgements(words))
@settings(max_examples=30, deadline=None)
def test_failure_texts_control_nothing(judgement: Judgement) -> None:
    for case in judgement.cases:
        message, text = failure_text(case)
        assert message == clean(message)
        assert all(line == clean(line) and cells(line) <= 80 for line in text.split("\n"))


@given(names, attributions, st.integers(1, 2), st.integers(40, 120))
@settings(max_examples=60, deadline=None)
def test_lines_of_an_attribution_fit_and_name_their_parts(
    name: str, attribution: Attribution, verbosity: int, width: int
) -> None:
    metric = Metric(name, "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)
    change = Change(1.0, 0.9, 1.1, 0.05, True, 0.05, 0.0, 1.0, 0.1)
    result = MetricResult(metric, 1.0, 2.0, change=change, attribution=attribution)
    comparison = CaseComparison("t.py::x", "t.py::x", "t.py", (result,))
    case = CaseVerdict(comparison, Verdict.WORSE, Place(Position.KEPT), ("worse",))
    session = SessionFacts("b", "h", 1, 5, 5, 1.0)
    lines = rendered(Judgement((case,)), session, verbosity, width)
    assert all(cells(line) <= width and line == clean(line) for line in lines)
    large = [
        part
        for part in attribution.contributions[:10]
        if abs(part.change) >= 0.05 * abs(attribution.total)
    ]
    assert any("why: " in line for line in lines) is bool(large)
    shown = "".join("".join(lines).split())
    assert all("".join(clean(part.name).split()) in shown for part in large)


def test_the_measure_of_cells_can_fail() -> None:
    assert cells("模型") == 4
    assert cells("ab") == 2
    with pytest.raises(AssertionError):
        assert cells("模" * 41) <= 80
