"""With any text in ids, metrics and errors the file is ASCII JSON, and is read back."""

import json
from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Failure, Judgement
from pytest_pareto.results.reader import decode, record_of
from pytest_pareto.results.writer import render_json

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
        result, metric=replace(result.metric, name=escaped(text)), notes=(text,), reason=text
    )
    comparison = replace(case.comparison, case_id=text, nodeid=text, metrics=(named,), broken=text)
    hostile = replace(case, comparison=comparison, fails=(text,))
    run = report.record.runs[0]
    runs = replace(
        run,
        cases={text: replace(run.cases["m.py::a"], case_id=text, front=text)},
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
    assert content.evidence is not None
    (back,) = record_of(content.evidence).runs
    assert list(back.cases) == [escaped(text)]
    assert back.failed == {escaped(text): escaped(text)}
    json.loads(written)["cases"][0]["case"].encode("utf-8")  # no lone surrogate is left
