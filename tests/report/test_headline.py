"""Tests of the counts of cases, and of the resolution of unchanged ones."""

import math
from collections.abc import Callable

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, FLOPS, LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseVerdict,
    Failure,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.headline import build_header, headline, resolution_texts, section_title

MakeCase = Callable[..., CaseVerdict]
Compare = Callable[..., MetricResult]


def quiet(case: MakeCase, compared: Compare, *resolutions: float) -> list[CaseVerdict]:
    return [
        case(
            f"[{i}]",
            Verdict.UNCHANGED,
            compared(LATENCY, (1.0, 1.0), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=r),
        )
        for i, r in enumerate(resolutions)
    ]


@pytest.mark.parametrize(
    ("resolutions", "text"),
    [
        ((0.09, 0.14), "latency 9-14 %"),
        ((0.09, 0.0901), "latency 9 %"),
        ((0.09, math.inf), "latency 9 % (nothing in 1 case)"),
        ((math.inf, math.inf), "latency nothing"),
        ((0.5, 4.0), "latency 50 % to ×5"),
    ],
)
def test_would_have_caught(
    case: MakeCase, compared: Compare, resolutions: tuple[float, ...], text: str
) -> None:
    assert resolution_texts(quiet(case, compared, *resolutions)) == (text,)


def test_a_span_is_in_one_unit(case: MakeCase, compared: Compare) -> None:
    delay = Metric("delay", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=False)
    cases = [
        case(f"[{r}]", Verdict.UNCHANGED,
             compared(delay, (1.0, 1.0), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=r))
        for r in (0.9, 1.2)
    ]  # fmt: skip
    assert resolution_texts(cases) == ("delay 0.9-1.2 s",)


def test_diagnostics_catch_nothing(case: MakeCase, compared: Compare) -> None:
    flops = compared(FLOPS, (1e9, 1e9), (0.0, 0.0, 0.0), Outcome.UNCHANGED, resolution=0.0)
    assert resolution_texts([case("[a]", Verdict.UNCHANGED, flops)]) == ()


@pytest.mark.parametrize(
    ("verdict", "more", "words"),
    [
        (Verdict.DOMINATED, {"fails": ("x",)}, "1 of 1 case regressed"),
        (Verdict.TRADE_OFF, {"fails": ("x",)}, "1 of 1 case regressed"),
        (Verdict.BROKEN, {"fails": ("x",)}, "1 of 1 case broken"),
        (Verdict.MISSING, {"fails": ("x",)}, "1 of 1 case missing"),
        (Verdict.NEW, {"fails": ("x",)}, "1 of 1 case with nothing to compare with"),
        (Verdict.NOT_COMPARABLE, {"fails": ("x",)}, "1 of 1 case not comparable"),
        (Verdict.INCONCLUSIVE, {"fails": ("x",)}, "1 of 1 case inconclusive"),
        (Verdict.UNCHANGED, {"fails": ("x",)}, "1 of 1 case only partly compared"),
        (Verdict.TRADE_OFF, {}, "1 case traded"),
        (Verdict.WORSE, {}, "1 case worse, let through"),
        (Verdict.WORSE, {"gate": False}, "1 case worse, not gated"),
        (Verdict.DOMINATED, {"common": "latency"}, "1 case moved together"),
        (Verdict.IMPROVED, {}, "1 case improved"),
        (
            Verdict.NOT_WORSE,
            {"fails": ("x",), "place": Place(Position.LOST, on_front=False)},
            "1 of 1 case regressed",
        ),
    ],
)
def test_headline_words(
    case: MakeCase,
    facts: Callable[..., SessionFacts],
    verdict: Verdict,
    more: dict[str, object],
    words: str,
) -> None:
    assert headline(Judgement((case("[a]", verdict, **more),)), facts()) == (words,)


def test_session_that_fails_without_a_case(
    case: MakeCase, compared: Compare, facts: Callable[..., SessionFacts]
) -> None:
    judgement = Judgement(
        tuple(quiet(case, compared, 0.1, 0.1)), failures=(Failure("a worker crashed"),)
    )
    assert headline(judgement, facts()) == (
        "1 session failure, 0 of 2 cases regressed",
        "2 unchanged",
    )
    assert section_title(judgement) == "pareto: the session failed"


def test_title(case: MakeCase) -> None:
    assert (
        section_title(Judgement((case("[a]", Verdict.WORSE, fails=("x",)),)))
        == "pareto: 1 case failed"
    )
    assert section_title(Judgement((case("[a]", Verdict.UNCHANGED),))) == "pareto"


def measured_texts(judgement: Judgement, facts: SessionFacts) -> tuple[str, ...]:
    return build_header(judgement, facts).measured


def test_the_header_states_what_was_spent_and_what_it_bought(
    case: MakeCase, compared: Compare, facts: Callable[..., SessionFacts]
) -> None:
    worse = compared(LATENCY, (1.0, 1.3), (0.3, 0.2, 0.4), Outcome.WORSE, resolution=0.1)
    cleared = compared(ENERGY, (1.0, 1.0), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.1)
    confirmed = frozenset({"latency", "energy"})
    judgement = Judgement(
        (
            case("[a]", Verdict.WORSE, worse, cleared, confirmed=confirmed),
            case("[b]", Verdict.UNCHANGED, cleared, confirmed=confirmed),
        )
    )
    spent = facts(
        duration_s=306.0,
        confirming_s=261.0,
        gpus=1,
        suspects="2 cases measured again in 5 fresh runs",
    )
    assert measured_texts(judgement, spent) == (
        "1 run in 45 s on 1 GPU",
        "2 cases measured again in 5 fresh runs (261 s): 1 of 3 metrics confirmed as worse",
    )


def test_without_a_clock_or_a_gpu_the_header_has_neither(
    facts: Callable[..., SessionFacts],
) -> None:
    spent = facts(suspects="1 case measured again in 1 fresh run")
    assert measured_texts(Judgement(()), spent) == (
        "1 run in 212 s",
        "1 case measured again in 1 fresh run",
    )
    assert measured_texts(Judgement(()), facts()) == ("1 run in 212 s",)
