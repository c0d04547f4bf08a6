"""The report of an A/A test, rendered for 80 columns."""

import math
from dataclasses import replace
from typing import Any

import pytest

from pytest_pareto.doctor.noise_model import (
    Alarms,
    CaseNoise,
    FalseAlarms,
    MetricNoise,
    NoiseReport,
    Plan,
    PlanResolution,
    Repeatability,
    Scatter,
    SplitSizes,
)
from pytest_pareto.doctor.noise_text import render_noise
from pytest_pareto.model.change import Change
from pytest_pareto.model.metric import (
    DEVICE_TIME,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.report.text import Tone, display_width

FRONT = "test_sd.py::test_generate"
SCORE = Metric("accuracy", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
FID = Metric("fid", "", Better.LOWER, Kind.RUN, Scope.GPU, 0.5, relative=False)
PLANS = (Plan(1), Plan(3), Plan(5), Plan(1, 5), Plan(4, 12, interleaved=True))


def alarms(
    shuffled: int, contiguous: int, at_zero: int, contiguous_at_zero: int, naive: int
) -> FalseAlarms:
    return FalseAlarms(
        Alarms(shuffled, 56),
        Alarms(contiguous, 6),
        Alarms(at_zero, 56),
        Alarms(contiguous_at_zero, 6),
        Alarms(naive, 56),
    )


def case(
    name: str, metric: Metric, sd: float, resolutions: tuple[float, ...], **more: Any
) -> CaseNoise:
    """Return a case whose tolerance holds where the resolution is at most twice of it."""
    defaults: dict[str, Any] = {
        "raw": None,
        "drift": None,
        "alarms": alarms(0, 0, 3, 0, 9),
        "session_spread": 0.0,
        "enough_runs": None,
        "sessions_forbid": False,
    }
    return CaseNoise(
        case_id=f"{FRONT}[{name}]",
        front=FRONT,
        metric=metric,
        scatter=Scatter(sd, 0.7 * sd, 1.8 * sd),
        resolutions=tuple(
            PlanResolution(plan, value, value / 2, value <= 2 * metric.tolerance)
            for plan, value in zip(PLANS, resolutions, strict=True)
        ),
        **defaults | more,
    )


DRIFT = Change(0.082, 0.061, 0.104, 0.0, relative=True, alpha=0.05, p_worse=0.001, p_better=0.999,
               resolution=0.05)  # fmt: skip
SLOW = MetricNoise(
    LATENCY,
    (
        case("base", LATENCY, 0.031, (0.31, 0.28, 0.28, 0.29, 0.062), session_spread=0.04,
             sessions_forbid=True),
        case("int8-20", LATENCY, 0.042, (0.33, 0.3, 0.3, 0.3, 0.081), session_spread=0.04,
             sessions_forbid=True, drift=DRIFT, alarms=alarms(1, 1, 4, 2, 21),
             raw=Scatter(0.08, 0.05, 0.1), notes=("adjusted by the host reference",)),
    ),
)  # fmt: skip
QUIET = MetricNoise(
    DEVICE_TIME,
    (case("base", DEVICE_TIME, 0.0004, (0.016, 0.013, 0.013, 0.013, 0.012), enough_runs=1),),
)
REPORT = NoiseReport(
    runs=8,
    alpha=0.05,
    baseline_runs=5,
    family=3,
    splits=SplitSizes(5, 3),
    metrics=(SLOW, QUIET),
    repeatability=(
        Repeatability(f"{FRONT}[base]", PEAK_MEMORY, 8, 0, 2.0**30, 2.0**30),
        Repeatability(f"{FRONT}[base]", SCORE, 300, 0, 0.0, 0.0, "s0"),
    ),
)

GOLDEN = """\
8 runs of unchanged code (2 cases) in 212 s

latency: its tolerance of 5 % holds with --pareto-against only
  runs scatter by 3.1 % to 4.2 % (standard deviation)
  minimum detectable regression: 33 % with 1 run, 30 % with 3 or 5 runs or 1 run
    that 5 confirm, 8.1 % with --pareto-against
  no number of runs keeps it against a stored baseline, since sessions are
    assumed to differ by 4 % (pareto_session_spread); --pareto-against, which
    interleaves old code and new, does; device_time, measured beside it, detects
    1.3 %
  would hold: 16 % with 1 run, 15 % with 3 or 5 runs or 1 run that 5 confirm,
    4 % with --pareto-against
  false alarms: 1/112 at 5 %, 7/112 at 0; one run against one, +5 %: 30/112
  drifted in 1 of 2 cases, from the first half of the runs to the second:
    test_sd.py::test_generate[int8-20] +8.2 % [+6.1, +10.4]

device_time: its tolerance of 1 % holds on this machine
  runs scatter by 0.04 % (standard deviation)
  minimum detectable regression: 1.6 % with 1 run, 1.3 % with 3 or 5 runs or 1
    run that 5 confirm, 1.2 % with --pareto-against
  false alarms: 0/56 at 1 %, 3/56 at 0; one run against one, +5 %: 9/56

the same in every run: peak_memory
every score the same: accuracy

"""


def rendered(report: NoiseReport | None = REPORT, *failures: str, **how: Any) -> list[Any]:
    how = {"verbosity": 0, "width": 80} | how
    return render_noise(report, failures, duration_s=212.0, **how)


def text(*args: Any, **how: Any) -> str:
    return "\n".join(line.text for line in rendered(*args, **how))


def test_the_sentences_of_the_report() -> None:
    assert text().startswith(GOLDEN), text()


TABLES = """\

latency: spread between runs, and false alarms
             spread   90 % interval  at 5 %  in order  at 0  in order   +5 %
test_sd.py::test_generate
  [base]      3.1 %  2.2 % to 5.6 %    0/56       0/6  3/56       0/6   9/56
  [int8-20]   4.2 %  2.9 % to 7.6 %    1/56       1/6  4/56       2/6  21/56

latency: minimum detectable regression
             1 run  3 runs  5 runs  1 run + 5    A/B
test_sd.py::test_generate
  [base]      31 %    28 %    28 %       29 %  6.2 %
  [int8-20]   33 %    30 %    30 %       30 %  8.1 %

latency: holds a tolerance of
             1 run  3 runs  5 runs  1 run + 5    A/B  runs for 5 %
test_sd.py::test_generate
  [base]      16 %    14 %    14 %       14 %  3.1 %          none
  [int8-20]   16 %    15 %    15 %       15 %    4 %          none
test_sd.py::test_generate[int8-20]: adjusted by the host reference
test_sd.py::test_generate[int8-20]: raw, the spread is 8 %

"""
CLOSING = """

Minimum detectable regression: the smallest that is called WORSE in 80 % of all
  sessions. A tolerance holds where a regression of twice its size is.
Assumed: a baseline of 5 runs in one session, sessions differ by 4 % (latency),
  3 tests share alpha 0.05.
False alarms: all these runs split into 5 and 3 and compared at alpha 0.05,
  without a term for sessions; neighbouring runs beside shuffled ones. Such
  splits depend on each other: the rates are rough."""


def test_the_tables_and_the_assumptions() -> None:
    assert TABLES in text()
    assert text().endswith(CLOSING)


def test_the_tones_of_the_lines() -> None:
    tones = {line.text.strip(): line.tone for line in rendered()}
    assert tones["latency: its tolerance of 5 % holds with --pareto-against only"] is Tone.YELLOW
    assert tones["device_time: its tolerance of 1 % holds on this machine"] is Tone.GREEN
    (drifted,) = (tone for line, tone in tones.items() if line.startswith("drifted"))
    assert drifted is Tone.YELLOW


def only(metric: Metric, sd: float, resolutions: tuple[float, ...], **more: Any) -> NoiseReport:
    noise = MetricNoise(metric, (case("base", metric, sd, resolutions, **more),))
    return replace(REPORT, metrics=(noise,), repeatability=())


@pytest.mark.parametrize(
    ("report", "headline", "remedy"),
    [
        (
            only(LATENCY, 0.02, (0.3, 0.14, 0.11, 0.12, 0.09), enough_runs=7),
            "latency: its tolerance of 5 % needs 7 runs on this machine",
            "to keep it: --pareto-runs=7 --pareto-confirm=0",
        ),
        (
            only(LATENCY, 0.2, (math.inf, 3.5, 2.1, 1.8, 0.9)),
            "latency: its tolerance of 5 % is too tight for this machine",
            "no number of runs keeps it against a stored baseline, unless the baseline holds more "
            "(recorded with --pareto-update=all --pareto-runs=10); nor does --pareto-against: "
            "measure on a quieter machine, or tolerate more",
        ),
        (
            only(LATENCY.with_policy(tolerance=0.0), 0.02, (0.3, 0.14, 0.11, 0.12, 0.09)),
            "latency: at tolerance 0 this machine detects 12 %",
            "minimum detectable regression: 30 % with 1 run, 14 % with 3 runs,",
        ),
        (
            only(FID, 0.21, (1.7, 0.9, 0.8, 0.85, 0.7)),
            "fid: its tolerance of 0.5 holds on this machine",
            "runs scatter by 0.21 (standard deviation)",
        ),
    ],
)
def test_the_headline_and_the_remedy(report: NoiseReport, headline: str, remedy: str) -> None:
    assert rendered(report, verbosity=-1)[0].text == headline
    words = " ".join(text(report).split())
    assert headline in words
    assert remedy in words


def test_a_plan_without_a_tolerance_is_rendered_as_nothing() -> None:
    (noise,) = only(LATENCY, 0.2, (math.inf, 3.5, 2.1, 1.8, 0.9)).metrics
    words = " ".join(text(replace(REPORT, metrics=(noise,))).split())
    assert "would hold: nothing with 1 run, 175 % with 3 runs," in words


def test_differing_values_are_a_warning() -> None:
    differing = (
        Repeatability(f"{FRONT}[a]", PEAK_MEMORY, 8, 2, 2.0**30, 2.0**30 + 512),
        Repeatability(f"{FRONT}[a]", SCORE, 300, 12, 0.2, 0.3, "7 from seed 7"),
        *(Repeatability(f"{FRONT}[{i}]", SCORE, 300, 1, 0.2, 0.3, "s") for i in range(4)),
    )
    report = replace(
        REPORT, metrics=(), repeatability=differing, left_out=("a was measured in 7 of 8",)
    )
    lines = rendered(report)
    words = " ".join(" ".join(line.text for line in lines).split())
    memory = f"peak_memory: not the same in each run: {FRONT}[a] from 1073741824 to 1073742336 B"
    assert memory in words
    assert (
        f"accuracy: scores are drawn anew in each run: 12 of 300 in {FRONT}[a] "
        "(sample '7 from seed 7' from 0.2000 to 0.3000);" in words
    )
    assert words.endswith("; and 2 more a was measured in 7 of 8")
    assert all(line.tone is Tone.YELLOW for line in lines[2:])
    assert "the same" not in words.replace("not the same", "")


def test_failures_come_first_or_alone() -> None:
    (line,) = rendered(None, "test_a failed in 2 of 8 runs: AssertionError")
    assert (line.text, line.tone) == (
        "FAIL  test_a failed in 2 of 8 runs: AssertionError",
        Tone.RED,
    )
    assert rendered(REPORT, "it died")[0].text == "FAIL  it died"
    assert rendered(None) == []


def test_below_verbosity_0_there_is_a_line_per_metric() -> None:
    assert text(verbosity=-1) == (
        "latency: its tolerance of 5 % holds with --pareto-against only\n"
        "device_time: its tolerance of 1 % holds on this machine"
    )


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(display_width(line.text) for line in rendered(width=width)) <= width
