"""Tests of the Markdown report: content, order, size, and hostile names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_pareto.model.attribution import Attribution, Contribution
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Failure,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.markdown import MAX_BYTES, render_markdown
from pytest_pareto.report.text import clean

Run = tuple[Judgement, SessionFacts]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
WORSE = Change(0.5, 0.4, 0.6, 0.05, True, 0.05, 0.0001, 0.999, 0.1)  # fmt: skip
BETTER = Change(-0.3, -0.4, -0.2, 0.05, True, 0.05, 0.999, 0.0001, 0.1)
FRONTS = 20
FOREIGN = {"html_block", "html_inline", "link_open", "image", "em_open", "s_open"}


def rendered(run: Run, **facts: Any) -> str:
    return render_markdown(SessionReport(run[0], replace(run[1], **facts)))


def offered(run: Run) -> dict[str, Any]:
    ids = frozenset(case.case_id for case in run[0].cases)
    return {"candidate_path": ".pareto_candidate", "acceptable": ids}


def columns(text: str) -> list[set[int]]:
    """Return the numbers of cells in the rows of each table."""
    tables: list[set[int]] = []
    count = 0
    for token in MARKDOWN.parse(text):
        if token.type == "table_open":
            tables.append(set())
        elif token.type == "tr_open":
            count = 0
        elif token.type in ("td_open", "th_open"):
            count += 1
        elif token.type == "tr_close":
            tables[-1].add(count)
    return tables


def kinds(text: str) -> set[str]:
    tokens = MARKDOWN.parse(text)
    return {t.type for t in tokens} | {c.type for t in tokens for c in t.children or []}


def test_a_failing_session(failing_run: Run) -> None:
    text = rendered(failing_run, **offered(failing_run))
    assert text.startswith("## pareto: FAIL\n\n**2 of 9 cases regressed** · 1 traded")
    lines = text.splitlines()
    led = next(line for line in lines if line.startswith("| `["))
    assert led.startswith(
        "| `[int8-20]` **LOST ITS PLACE** | `device_time` | 231.4 ms | 246.0 ms |"
    )
    assert led.endswith("| +6.3 % [+6.2, +6.4] | 1 % | **WORSE** |")
    assert "[q0]" not in text
    assert "minimum detectable regression in 5 unchanged cases: latency 9-13 %" in text
    assert "pytest-pareto accept .pareto_candidate " in text
    assert "- unconfirmed: judged on this session's runs alone" in text
    assert "- torch 2.12.0 → 2.13.0 since the baseline" in text
    assert columns(text) == [{7}]


def test_without_a_candidate_nothing_is_copied_from_it(failing_run: Run) -> None:
    text = rendered(failing_run)
    assert "pytest-pareto accept" not in text
    assert "pytest --lf --pareto --pareto-update" in text


def test_a_passing_session_has_no_table(passing_run: Run) -> None:
    text = rendered(passing_run, confirmed=True)
    assert text.startswith("## pareto: PASS")
    assert "|" not in text
    assert "minimum detectable regression in 9 unchanged cases" in text


def test_a_trade_that_was_let_through_can_be_accepted(failing_run: Run) -> None:
    judgement, facts = failing_run
    traded = Judgement(tuple(c for c in judgement.cases if c.verdict is Verdict.TRADE_OFF))
    text = rendered((traded, facts), **offered(failing_run))
    assert "# to accept what was traded\npytest-pareto accept .pareto_candidate" in text


def test_failures_of_the_session_come_first(incomplete_run: Run) -> None:
    text = rendered(incomplete_run)
    assert text.index("the worker gw1 crashed") < text.index("| case |")
    assert "- incomplete: 1 of 2 workers crashed" in text
    assert "`test_sd.py::test_generate[gone]`" in text


def test_process_output_stays_in_its_block(passing_run: Run) -> None:
    output = "a process died:\n```\n</pre><b>x\n" + "y" * 500
    judgement = Judgement(passing_run[0].cases, failures=(Failure(output),) * 30)
    text = rendered((judgement, passing_run[1]))
    assert not kinds(text) & {"html_block", "html_inline"}
    assert "**FAIL** and 10 more" in text
    assert len(text.encode()) <= MAX_BYTES


def test_every_session_is_rendered(any_run: Run) -> None:
    text = rendered(any_run)
    assert len(text.encode()) <= MAX_BYTES
    assert not kinds(text) & {"html_block", "html_inline"}
    assert all(widths == {7} for widths in columns(text))


def changed(index: int, verdict: Verdict, change: Change, name: str = "") -> CaseVerdict:
    front = f"tests/test_{index % FRONTS}.py::test_generate"
    case_id = f"{front}[variant-{index}{name}]"
    result = MetricResult(LATENCY, 0.4, 0.6, change=change)
    fails = ("latency got worse beyond its limit",) if verdict is Verdict.DOMINATED else ()
    comparison = CaseComparison(case_id, case_id, front, (result,))
    return CaseVerdict(comparison, verdict, Place(Position.OFF, on_front=False), fails)


@pytest.mark.parametrize("name", ["", "x" * 300, "模" * 300, "|" * 100, "`" * 100])
def test_a_thousand_changed_cases_fit_and_the_worst_lead(
    facts: Callable[..., SessionFacts], name: str
) -> None:
    better = [changed(i, Verdict.IMPROVED, BETTER, name) for i in range(990)]
    worse = [changed(990 + i, Verdict.DOMINATED, WORSE, name) for i in range(10)]
    run = Judgement((*better, *worse)), facts()
    text = rendered(run, **offered(run))
    assert 45_000 < len(text.encode()) <= MAX_BYTES
    assert text.count("**DOMINATED**") == 10
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert "**DOMINATED**" in rows[0]
    assert f"{1000 - len(rows)} changed cases less severe than these left out" in text
    assert all(widths == {7} for widths in columns(text))
    # In the order of the list, improvements of the first fronts would fill the space.
    assert len({line for line in text.splitlines() if line.startswith("**`tests/")}) >= 10


odd = st.sampled_from("|`\\<>*_[]()@#!~$&:{}-+=.\n\r\t \u202e'\"é模\x1b")
names = st.text(st.one_of(odd, st.characters(exclude_categories=["Cs"])), min_size=1, max_size=40)
long_names = st.one_of(names, names.map(lambda n: (n * 300)[:300]))
texts = st.lists(st.text(st.one_of(odd, st.characters()), max_size=60), max_size=2).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> CaseVerdict:
    name, unit = draw(long_names), draw(names)
    metric = Metric(
        draw(long_names),
        unit,
        Better.LOWER,
        Kind.RUN,
        Scope.HOST,
        0.05,
        relative=draw(st.booleans()),
    )
    result = MetricResult(
        metric,
        0.4,
        0.6,
        change=replace(WORSE, worst_ids=draw(texts), relative=metric.relative),
        attribution=Attribution((Contribution(draw(long_names), 0.1, 0.3),), 0.05, -0.05, 0.2),
    )
    broken = MetricResult(replace(metric, name="other"), state=Outcome.BROKEN, reason=draw(names))
    front = draw(st.sampled_from(["t.py::test_x", "a|b`c", "<b>"]))
    comparison = CaseComparison(
        f"t.py::test_x[{name}]", f"t.py::test_x[{name}]", front, (result, broken)
    )
    verdict = draw(st.sampled_from([Verdict.DOMINATED, Verdict.TRADE_OFF, Verdict.BROKEN]))
    fails = draw(texts) if verdict is not Verdict.TRADE_OFF else ()
    return CaseVerdict(comparison, verdict, Place(Position.OFF, on_front=False), fails, draw(texts))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(cases(), min_size=1, max_size=4, unique_by=lambda c: c.case_id), texts, texts)
def test_no_name_breaks_a_table_or_becomes_html(
    found: list[CaseVerdict], failures: tuple[str, ...], notices: tuple[str, ...]
) -> None:
    facts = SessionFacts("pareto_baselines/x", "x", 2, 10, 1, 1.0)
    run = Judgement(tuple(found), tuple(map(Failure, failures)), notices), facts
    text = rendered(run, **offered(run))
    assert len(text.encode()) <= MAX_BYTES
    assert columns(text)
    assert all(widths == {7} for widths in columns(text))
    assert not kinds(text) & FOREIGN
    visible = " ".join(
        child.content for t in MARKDOWN.parse(text) for child in t.children or []
    ).replace("\u200b", "")
    for case in found:
        name = clean(case.case_id.removeprefix("t.py::test_x"))[-6:]
        assert name.replace(" ", "") in visible.replace(" ", "")


HOSTILE_IDS = ("a`b", "x | y", "<img src=x>", "line\nbreak", "_so_ *it* is", "one, two", "[l](u)")


def test_worst_samples_are_names_each_of_its_own(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult], failing_run: Run
) -> None:
    score = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
    worse = compared(score, (0.9, 0.8), (0.1, 0.08, 0.12), Outcome.WORSE, resolution=0.02,
                     worst_ids=HOSTILE_IDS)  # fmt: skip
    red = case("[a]", Verdict.WORSE, worse, fails=("score got worse",))
    text = rendered((Judgement((red,)), failing_run[1]))
    line = next(line for line in text.splitlines() if "worst samples: " in line)
    (inline,) = [t for t in MARKDOWN.parse(line) if t.type == "inline"]
    spans = [t.content for t in inline.children or [] if t.type == "code_inline"]
    assert spans[-len(HOSTILE_IDS) :] == [clean(name) for name in HOSTILE_IDS]
    assert not kinds(text) & FOREIGN
    assert columns(text) == [{7}]


def test_an_undecided_case_beyond_its_limit_has_its_reason(
    case: Callable[..., CaseVerdict],
    compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:
    """What would settle it stands in the table of a pull request too, and not only its levels."""
    settled = "about 12 runs would settle it (--pareto-runs 12)"
    slower = compared(
        LATENCY, (1.0, 1.2), (0.2, 0.1, 0.3), Outcome.INCONCLUSIVE, resolution=0.4, reason=settled
    )
    found = case("[a]", Verdict.INCONCLUSIVE, slower)
    text = render_markdown(SessionReport(Judgement((found,)), facts())).replace("`", "")
    assert "latency: likely regression, not significant" in text
    assert settled in text


def test_parts_that_moved_stand_below_the_reason(
    case: Callable[..., CaseVerdict],
    slower: MetricResult,
    dispatched: MetricResult,
    facts: Callable[..., SessionFacts],
) -> None:
    known = case("[a]", Verdict.WORSE, slower, fails=("latency got worse",))
    blind = replace(slower, attribution=None)
    counted = case("[b]", Verdict.WORSE, blind, dispatched, fails=("latency got worse",))
    text = render_markdown(SessionReport(Judgement((known, counted)), facts()))
    expected = """\
- `[a]`: latency got worse
  - `latency`: +12.1 ms `aten::addmm in Net.fc2`: 2.1 → 14.2 ms, 1 → 7 times
  - `latency`: +3.17 ms `aten::copy_ in Net.fc1`: new, or under 0.03 ms before
  - `latency`: −1.2 ms `aten::relu in Net.act`: 1.5 → 0.3 ms
  - `latency`: +2.35 ms not in the profile
- `[b]`: latency got worse
  - `latency`, 44 → 45 dispatches: +1 `aten::clone in Net.fc1`: 3 → 4

"""
    assert expected in text
    # A list within a list, as a forge shows it.
    assert sum(t.type == "bullet_list_open" and t.level > 0 for t in MARKDOWN.parse(text)) == 2


def test_names_and_units_of_parts_are_no_markup(
    case: Callable[..., CaseVerdict],
    slower: MetricResult,
    attributed: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:
    evil = "<img src=x> [l](u) `"
    metric = replace(LATENCY, unit=evil)
    moved = attributed(replace(slower, metric=metric), Contribution(evil, 1.0, 3.0))
    worse = case("[a]", Verdict.WORSE, moved, fails=("slow",))
    text = render_markdown(SessionReport(Judgement((worse,)), facts()))
    assert evil in text
    assert not kinds(text) & FOREIGN


def test_parts_are_shown_of_the_most_severe_cases_only(
    case: Callable[..., CaseVerdict], slower: MetricResult, facts: Callable[..., SessionFacts]
) -> None:
    """Else they would take the room of cases."""
    worse = [case(f"[{n}]", Verdict.WORSE, slower, fails=("slow",)) for n in range(200)]
    text = render_markdown(SessionReport(Judgement(tuple(worse)), facts()))
    assert text.count("`aten::addmm in Net.fc2`") == 20
    assert all(f"`[{n}]` **WORSE**" in text for n in range(200))
    assert len(text.encode()) <= MAX_BYTES


def test_a_case_has_so_many_lines_of_parts_at_most(
    case: Callable[..., CaseVerdict], slower: MetricResult, facts: Callable[..., SessionFacts]
) -> None:
    metrics = [replace(slower, metric=replace(LATENCY, name=f"m{n}")) for n in range(5)]
    worse = case("[a]", Verdict.WORSE, *metrics, fails=("slow",))
    text = render_markdown(SessionReport(Judgement((worse,)), facts()))
    assert sum(line.startswith("  - `m") for line in text.splitlines()) == 12
    assert "\n  - and 8 more lines\n" in text
