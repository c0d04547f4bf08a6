"""Tests of common movements and common reasons of uncompared cases."""

from collections.abc import Callable
from dataclasses import replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseVerdict,
    CommonMode,
    Judgement,
    MetricResult,
    Verdict,
)
from pytest_pareto.report.fronts import build_fronts
from pytest_pareto.report.headline import common_lines, uncompared_lines
from pytest_pareto.report.text import Tone

Run = tuple[Judgement, SessionFacts]
SPEED = Metric("speed", "1/s", Better.HIGHER, Kind.RUN, Scope.GPU, 0.05, relative=True)


def test_accepted_movement_is_a_note(common_run: Run) -> None:
    judgement, _ = common_run
    accepted = tuple(
        replace(c, fails=(), notices=tuple(f"accepted: {t}" for t in c.fails))
        for c in judgement.cases
    )
    judgement = replace(judgement, cases=accepted)
    lines = common_lines(judgement.common_modes[0], judgement, build_fronts(judgement), 200)
    assert lines[-1].tone is Tone.YELLOW
    assert lines[-1].text.startswith("  note at test_sd.py::test_generate[c7]: accepted: ")


def test_a_shared_gain_asks_where_it_comes_from(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    faster = compared(SPEED, (10.0, 27.0), (-0.63, -0.64, -0.62), Outcome.BETTER, resolution=0.1)
    cases = [case(f"[{i}]", Verdict.IMPROVED, faster) for i in range(5)]
    asking = replace(cases[0], notices=("code or machine?",))
    together = tuple(replace(c, common="speed") for c in (asking, *cases[1:]))
    mode = CommonMode("speed", tuple(c.case_id for c in together), 5, -0.63, harmful=False)
    judgement = Judgement(together, common_modes=(mode,))
    lines = common_lines(mode, judgement, build_fronts(judgement), 100)
    assert (lines[-1].text, lines[-1].tone) == (
        f"  note at {asking.case_id}: code or machine?", Tone.YELLOW,
    )  # fmt: skip


def test_shared_gain_of_a_metric_where_more_is_better(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    faster = compared(SPEED, (10.0, 12.5), (-0.2, -0.22, -0.18), Outcome.BETTER, resolution=0.1)
    cases = tuple(case(f"[{i}]", Verdict.IMPROVED, faster) for i in range(6))
    mode = CommonMode("speed", tuple(c.case_id for c in cases), 6, -0.2, harmful=False)
    judgement = Judgement(cases, common_modes=(mode,))
    lines = common_lines(mode, judgement, build_fronts(judgement), 100)
    assert lines[0].text == "speed is better in 6 of 6 cases together, by about +25 %"
    assert lines[-1].text.endswith("and 1 more")


def test_cases_with_the_same_reason_are_listed_together(case: Callable[..., CaseVerdict]) -> None:
    def lacking(name: str, reason: str, *fails: str) -> CaseVerdict:
        result = MetricResult(SPEED, candidate=1.0, state=Outcome.NOT_COMPARABLE, reason=reason)
        return case(name, Verdict.NOT_COMPARABLE, result, notices=("x",), fails=fails)

    other_gpu = "GPU is A here, B in the baseline"
    cases = [lacking(f"[{i}]", other_gpu) for i in range(8)]
    cases += [lacking("[limit]", "power limit"), lacking("[fails]", other_gpu, "no baseline in CI")]
    lines = uncompared_lines(build_fronts(Judgement(tuple(cases))), 200)
    assert [(line.text.split("test_sd")[0].strip(), line.tone) for line in lines] == [
        (f"1 case NOT COMPARABLE: {other_gpu}", Tone.RED),
        ("", Tone.PLAIN),
        (f"8 cases not comparable: {other_gpu}", Tone.YELLOW),
        ("", Tone.PLAIN),
        ("1 case not comparable: power limit", Tone.YELLOW),
        ("", Tone.PLAIN),
    ]
    assert lines[3].text.endswith("and 3 more")
