"""The report on metrics, as a terminal of 80 columns shows it."""

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_pareto.doctor.metric_model import (
    Agreement,
    Apart,
    Discernment,
    FrontMetrics,
    MetricsReport,
    Ranking,
)
from pytest_pareto.doctor.metric_text import render_metrics
from pytest_pareto.model.metric import Kind
from pytest_pareto.report.text import Tone, display_width

STEM = "test_sd.py::test_generate"
CASES = tuple(f"{STEM}[{name}]" for name in ("base", "int8-20", "turbo-4", "draft-1"))


def found(metric: str, same: Apart | None, other: Apart, **more: Any) -> Discernment:
    about: dict[str, Any] = {
        "kind": Kind.PAIRED,
        "case_ids": CASES,
        "n": 300,
        "signal": 9.04,
        "leaning": CASES[3],
        "without": 6.2,
        "ranking": Ranking((CASES[0],), 1.0, 0.987),
    }
    return Discernment(metric, same=same, other=other, **about | more)


TASK = found("read_correctly", Apart(6, 5, 84.0, 1234.0), Apart(6, 4, 161.0, 2801.0))
GENERIC = found(
    "clip",
    Apart(6, 2, 2431.0, math.inf),
    Apart(6, 0, 88_000.0, math.inf),
    signal=3.1,
    without=0.8,
    ranking=Ranking((CASES[1], CASES[2]), 0.418, 0.31),
)
LATENCY = found(
    "latency",
    None,
    Apart(6, 6, 3.0, 5.0),
    kind=Kind.RUN,
    n=5,
    signal=31.4,
    without=20.0,
    ranking=Ranking((CASES[3],), 0.9996, 1.0),
)
FRONT = FrontMetrics(
    "digits",
    CASES,
    (LATENCY, TASK, GENERIC),
    (
        Agreement(("latency", "read_correctly"), 4, -0.667, -1.0, -0.333, 5, 4),
        Agreement(("latency", "clip"), 4, 0.0, -0.333, 0.667, 2, 1),
        Agreement(("read_correctly", "clip"), 3, 0.333, -0.667, 1.0, 2, 0),
    ),
    (f"clip of {CASES[3]}: scored on other samples (10 of its 50 are the others' too)",),
)
REPORT = MetricsReport(0.05, (FRONT,), ("test_a.py::test_b: alone on its front",))

GOLDEN = """\
digits: test_sd.py::test_generate, 4 variants

latency: tells 6 of 6 pairs apart with 5 runs
  best is [draft-1], alone in 99 % of resamples too; mean tau of their rankings
    with this one: 1.00

read_correctly: tells 5 of 6 pairs apart with 300 samples; about 84 samples
  would do for half
  best is [base], alone in 100 % of resamples too; mean tau of their rankings
    with this one: 0.99

clip: tells 2 of 6 pairs apart with 300 samples; about 2,500 samples would tell
  half, if they differ as it seems
  that rests on the samples being the same: with samples of its own for each
    variant it would tell 0 of 6 pairs apart
  most of its signal is [draft-1]: 3.1 with it, 0.8 without
  best are [int8-20], [turbo-4], level; no other joins them in 42 % of
    resamples; mean tau of their rankings with this one: 0.31

                     n  apart  for half    for all  unpaired  for half  signal
latency         5 runs    6/6         3          5                          31
read_correctly     300    5/6        84      1,300       4/6       170       9
clip               300    2/6     2,500  > 100,000       0/6    88,000     3.1

how alike two metrics rank the variants
                          tau-b   90 % interval  variants  both  opposite
latency ~ read_correctly  −0.67  −1.00 to −0.33         4     5         4
latency ~ clip             0.00   −0.33 to 0.67         4     2         1
read_correctly ~ clip      0.33   −0.67 to 1.00         3     2         0

clip of [draft-1]: scored on other samples (10 of its 50 are the others' too)

test_a.py::test_b: alone on its front

Apart: pairs of variants whose means differ, by the tests that judge scores
  elsewhere, corrected by Holm for the pairs of the front: where all are equal,
  any is told apart with a probability of 0.05 at most. The metric with the
  largest share stands first.
For half, for all: samples (or runs) of each variant that would tell half of the
  pairs or all apart, with a probability of 80 % for the hardest of them, if the
  true differences are those seen less what noise adds. That is optimistic for
  pairs not told apart yet: they may be equal. > 100,000 also stands where
  nothing speaks for a difference.
Unpaired: the same with samples of its own for each variant.
Signal: by how many standard errors two variants differ, √(mean d² / mean SE² −
  1) over the pairs; about 0 where there is only noise.
Resamples: the samples drawn again, the same for all variants and metrics; the
  means of runs by Student's t. Tau is Kendall's tau-b: 1 for the same order, −1
  for the opposite one. Both, opposite: pairs that both metrics tell apart, and
  those in opposite order.
No truth is recorded: a metric may tell variants apart, and firmly, by what does
  not matter to you."""


def text(report: MetricsReport = REPORT, width: int = 80) -> str:
    return "\n".join(line.text for line in render_metrics(report, width=width))


def verdict(metric: Discernment) -> str:
    front = FrontMetrics("digits", metric.case_ids, (metric,))
    lines = render_metrics(MetricsReport(0.05, (front,)), width=200)
    return lines[2].text


def test_what_a_tired_person_reads() -> None:
    assert text() == GOLDEN, text()


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        (
            found("fid", Apart(6, 0, math.inf, math.inf), Apart(6, 0, math.inf, math.inf)),
            "fid: tells 0 of 6 pairs apart with 300 samples; no number of samples up to 100,000 "
            "would tell half",
        ),
        (
            found("fid", Apart(1, 1, 20.0, 20.0), Apart(1, 1, 30.0, 30.0)),
            "fid: tells 1 of 1 pair apart with 300 samples",
        ),
        (
            found("fid", Apart(1, 0, 450.0, 450.0), Apart(1, 0, 900.0, 900.0)),
            "fid: tells 0 of 1 pair apart with 300 samples; about 450 samples would tell it, if "
            "they differ as it seems",
        ),
        (
            found("t", None, Apart(6, 2, 7.0, math.inf), kind=Kind.RUN, n=1),
            "t: tells 2 of 6 pairs apart with 1 run; about 7 runs would tell half, if they differ "
            "as it seems",
        ),
        (
            found("fid", Apart(6, 0, math.inf, 1.0), Apart(6, 0, 1.0, 1.0), all_equal=True),
            "fid: every sample of every variant is the same: nothing to tell apart",
        ),
        (
            found("a\x1b[31m", Apart(1, 1, 20.0, 20.0), Apart(1, 1, 30.0, 30.0)),
            "a\\x1b[31m: tells 1 of 1 pair apart with 300 samples",
        ),
    ],
)
def test_verdicts(metric: Discernment, line: str) -> None:
    assert verdict(metric) == line


def test_tones_say_what_to_mind() -> None:
    tones = {line.text.strip(): line.tone for line in render_metrics(REPORT, width=200)}
    by_metric = {told.partition(":")[0]: tone for told, tone in tones.items() if "tells" in told}
    assert by_metric == {
        "latency": Tone.GREEN,
        "read_correctly": Tone.GREEN,
        "clip": Tone.YELLOW,
    }


def test_where_there_is_nothing_to_set_beside() -> None:
    alone = replace(FRONT, metrics=(TASK,), agreements=())
    told = text(replace(REPORT, fronts=(alone,)))
    assert "one metric only: no other ranking to set beside its own" in told
    apart = replace(FRONT, agreements=())
    told = text(replace(REPORT, fronts=(apart,)))
    assert "no two metrics have two variants in common: rankings stay apart" in told


def test_where_nothing_was_examined_only_that_is_told() -> None:
    assert text(replace(REPORT, fronts=())) == "test_a.py::test_b: alone on its front"


def test_few_samples_are_a_warning() -> None:
    warning = "29 samples are too few to believe any of these figures; take 100 or more"
    few, enough = (replace(TASK, n=n) for n in (29, 30))
    assert warning in text(replace(REPORT, fronts=(replace(FRONT, metrics=(few,)),)))
    assert "too few" not in text(replace(REPORT, fronts=(replace(FRONT, metrics=(enough,)),)))
    runs = replace(FRONT, metrics=(LATENCY,))
    assert "too few" not in text(replace(REPORT, fronts=(runs,)))


def test_another_order_without_pairing_is_told() -> None:
    rests = found("clip", Apart(6, 6, 50.0, 90.0), Apart(6, 0, math.inf, math.inf))
    front = replace(FRONT, metrics=(LATENCY, rests, TASK))
    told = " ".join(text(replace(REPORT, fronts=(front,))).split())
    assert (
        "with samples of its own for each variant, read_correctly would stand before clip: 4 of 6 "
        "pairs, not 0; half of all would take it 170 samples, not > 100,000" in told
    )
    # The golden report has none: there the same metric is first either way.
    assert "would stand before" not in GOLDEN
    equal = replace(TASK, other=rests.other)
    front = replace(FRONT, metrics=(rests, equal))
    assert "would stand before" not in text(replace(REPORT, fronts=(front,)))
    assert "would stand before" not in text(
        replace(REPORT, fronts=(replace(FRONT, metrics=(LATENCY,)),))
    )


def test_all_level_is_no_winner() -> None:
    level = replace(GENERIC, ranking=Ranking(CASES, 1.0, 0.0))
    assert "all variants come out level" in text(
        replace(REPORT, fronts=(replace(FRONT, metrics=(level,)),))
    )


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_fit(width: int) -> None:
    assert max(display_width(line) for line in text(width=width).splitlines()) <= width
