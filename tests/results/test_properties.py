"""With any text in ids, metrics and errors the file is ASCII JSON, and is read back."""

import json
from collections.abc import Callable
from dataclasses import replace

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_pareto.model.attribution import Attribution, Breakdown, Contribution, Part
from pytest_pareto.model.session_record import SessionRecord, SessionReport
from pytest_pareto.model.verdict import Failure, Judgement
from pytest_pareto.results.json_schema import Evidence
from pytest_pareto.results.reader import decode, record_of
from pytest_pareto.results.writer import evidence_of, render_json

Judged = Callable[..., SessionReport]

ANY_TEXT = st.text(st.characters(), min_size=1)
"""Lone surrogates and control characters too."""
HOSTILE = st.sampled_from(
    ["</script>", "\x1b[31m", "\u202eabc", "\u2028", "\udc80", '"\\', "NaN", "x" * 300, "|\n`"]
)


def escaped(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@given(text=ANY_TEXT | HOSTILE)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_is_escaped_and_read_back(judged: Judged, text: str) -> None:
    report = judged()
    assert report.record is not None
    case = report.judgement.cases[0]
    (result, *_) = case.comparison.metrics
    named = replace(
        result,
        metric=replace(result.metric, name=escaped(text)),
        notes=(text,),
        reason=text,
        attribution=Attribution((Contribution(text, 0.0, 1.0),), 0.0, 0.0, 1.0),
    )
    comparison = replace(case.comparison, case_id=text, nodeid=text, metrics=(named,), broken=text)
    hostile = replace(case, comparison=comparison, fails=(text,))
    run = report.record.runs[0]
    measured = run.cases["m.py::a"]
    parts = tuple(
        replace(m, breakdown=Breakdown((Part(text, 1.0),))) for m in measured.measurements
    )
    runs = replace(
        run,
        cases={text: replace(measured, case_id=text, front=text, measurements=parts)},
        failed={text: text},
        finished=frozenset({text}),
    )
    judgement = Judgement((hostile,), (Failure(text),))
    record = replace(report.record, runs=(runs,), notices=(text,))
    written = render_json(replace(report, judgement=judgement, record=record))
    assert written.isascii()
    assert "\x1b" not in written
    json.loads(written, parse_constant=lambda name: 1 / 0).keys()
    written.encode("ascii").decode("utf-8")
    content = decode(written, "file")
    assert content.cases[0].case == escaped(text)
    assert content.metrics[0].notes == (escaped(text),)
    assert content.gate.failures == (escaped(text),)
    attribution = content.metrics[0].attribution
    assert attribution is not None
    assert [part.name for part in attribution.contributions] == [escaped(text)]
    assert content.evidence is not None
    (back,) = record_of(content.evidence).runs
    assert list(back.cases) == [escaped(text)]
    for measurement in back.cases[escaped(text)].measurements:
        assert measurement.breakdown == Breakdown((Part(escaped(text), 1.0),))
    assert back.failed == {escaped(text): escaped(text)}
    json.loads(written)["cases"][0]["case"].encode("utf-8")  # no lone surrogate is left


finite = st.floats(allow_nan=False, allow_infinity=False)
counts = st.floats(0, allow_infinity=False)
breakdowns = st.builds(
    Breakdown,
    st.lists(
        st.builds(
            Part, st.text(st.characters(exclude_categories=["Cs"])), finite, st.none() | counts
        ),
        max_size=5,
        unique_by=lambda part: part.name,
    ).map(tuple),
    finite,
    st.integers(0, 10**6),
    st.text("aZ9+/", max_size=6),
)


@given(found=st.lists(st.none() | breakdowns, min_size=5, max_size=5))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_breakdown_is_read_back_in_its_run(
    judged: Judged, found: list[Breakdown | None]
) -> None:
    record = judged().record
    assert record is not None
    changed = with_breakdowns(record, found)
    written = json.dumps(msgspec.to_builtins(evidence_of(changed)))
    back = record_of(msgspec.convert(json.loads(written), Evidence))
    assert back == changed
    assert (back == with_breakdowns(record, found[::-1])) is (found == found[::-1])


def with_breakdowns(record: SessionRecord, found: list[Breakdown | None]) -> SessionRecord:
    """Return the record with a breakdown of the first metric of a case in each of its runs."""
    runs = []
    for run, breakdown in zip(record.runs, found, strict=True):
        case = run.cases["m.py::a"]
        first, *others = case.measurements
        measured = (replace(first, breakdown=breakdown), *others)
        runs.append(
            replace(run, cases={**run.cases, "m.py::a": replace(case, measurements=measured)})
        )
    return replace(record, runs=tuple(runs))
