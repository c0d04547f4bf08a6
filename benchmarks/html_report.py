"""How large the page of a session is, and how soon it is ready: synthetic sessions.

    python benchmarks/html_report.py [cases ...]      # 12 and 100 unless told otherwise

Prints the size, the time that writing it takes, and, where Debian's chromium and playwright are,
the median time from opening the file until its script has drawn everything (two frames later).
"""

import math
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_pareto.model.baseline import (
    FailingHistory,
    LevelEntry,
    LevelHistories,
    LevelHistory,
    Revision,
)
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import (
    DEVICE_TIME,
    ENERGY,
    FLOPS,
    KERNELS,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    ComparedRuns,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)

SCORE = Metric("clip_score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.005, relative=False)
FRONT = "test_sdxl.py::test_generate"
PRECISIONS = ("fp16", "bf16", "int8", "fp8", "w4a16")
OPENINGS = 7
# What a case came to, and the share of cases that did; the rest stand still.
SHARES = ((Verdict.DOMINATED, 0.04), (Verdict.TRADE_OFF, 0.04), (Verdict.IMPROVED, 0.04),
          (Verdict.INCONCLUSIVE, 0.03))  # fmt: skip
# In the harmful direction: how far latency and the score moved.
MOVED = {
    Verdict.DOMINATED: (0.14, 0.0),
    Verdict.TRADE_OFF: (-0.25, 0.011),
    Verdict.IMPROVED: (-0.18, 0.0),
    Verdict.INCONCLUSIVE: (0.06, 0.0),
}


def synthetic_session(cases: int, seed: int = 7) -> SessionReport:
    """Make a session of so many cases on one front, seven metrics each."""
    draw = random.Random(seed)
    verdicts = [verdict for verdict, share in SHARES for _ in range(max(1, round(share * cases)))][
        :cases
    ]
    verdicts += [Verdict.UNCHANGED] * (cases - len(verdicts))
    draw.shuffle(verdicts)
    judged = tuple(_case(number, verdict, draw) for number, verdict in enumerate(verdicts))
    facts = SessionFacts(
        "pareto_baselines/nvidia-h200x1", "nvidia-h200x1", 3, 15, 1, 412.0,
        differences=("torch 2.12.0 → 2.13.0",), confirmed=True,
        suspects="11 cases measured again in 5 fresh runs",
        assumptions=("sessions on one host differ by 4 % in latency",),
    )  # fmt: skip
    machine = Environment(
        "AMD EPYC 9654", 16, 16, "NVIDIA H200", 1, None, (700.0,), ("3fa9c1",),
        {"python": "3.12.4", "torch": "2.13.0", "diffusers": "0.42.1"},
    )  # fmt: skip
    return SessionReport(Judgement(judged), facts, machine, history=_history(judged))


def _history(cases: Sequence[CaseVerdict]) -> FailingHistory:
    """Make twelve commits of the baseline, of which the sixth accepted another level."""
    revisions = tuple(
        Revision(f"{n:040x}", f"{n:07x}", f"2026-01-{n:02d}", f"Record session {n}")
        for n in range(1, 13)
    )
    courses = tuple(
        LevelHistory(case.case_id, FRONT, result.metric, tuple(_entries(result, revisions)))
        for case in cases
        if case.fails
        for result in case.comparison.metrics
        if result.runs is not None
    )
    return FailingHistory(LevelHistories("k", revisions, (), courses), head="9ab81c2", later=17)


def _entries(result: MetricResult, revisions: Sequence[Revision]) -> Iterator[LevelEntry]:
    assert result.baseline is not None
    draw = random.Random(result.baseline)
    for at, revision in enumerate(revisions):
        level = result.baseline * draw.gauss(1 if at > 5 else 0.93, 0.01)
        reason = "the new sampler needs one more step" if at == 6 else ""
        ends = (0.99 * level, 1.01 * level)
        yield LevelEntry(at, revision, level, accepted=at == 6, reason=reason, ends=ends)


def _case(number: int, verdict: Verdict, draw: random.Random) -> CaseVerdict:
    name = f"{FRONT}[{PRECISIONS[number % 5]}-{4 + 2 * (number // 5)}-steps]"
    steps = 4 + 2 * (number // 5)
    base_s = 0.021 * steps * draw.uniform(0.6, 1.4) * (0.7 if "8" in name else 1.0)
    score = 0.335 - 0.12 * math.exp(-steps / 7) - draw.uniform(0, 0.02)
    slower, worse = MOVED.get(verdict, (draw.gauss(0, 0.004), draw.gauss(0, 0.0002)))
    costs = (
        (LATENCY, base_s, 0.03, 0.09),
        (DEVICE_TIME, 0.81 * base_s, 0.0008, 0.011),
        (ENERGY, 520 * base_s, 0.009, 0.06),
    )
    results = [_compared(m, level, slower, half, caught, verdict, draw)
               for m, level, half, caught in costs]  # fmt: skip
    results += [
        _exact(PEAK_MEMORY, 6.1e9 + 1e7 * (number % 5)),
        _compared(SCORE, score, worse, 0.002, 0.004, verdict, draw),
        _exact(FLOPS, 6.7e12 * steps),
        _exact(KERNELS, 412 * steps),
    ]
    fails: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    if verdict is Verdict.DOMINATED:
        fails = ("latency, device_time and energy got worse beyond their limits",)
    if verdict is Verdict.TRADE_OFF:
        notices = ("clip_score traded for latency, within its bound",)
    place = Place(Position.KEPT, on_front=True) if number % 9 == 0 else Place(
        Position.OFF, on_front=False, rivals=(f"{FRONT}[int8-12-steps]",)
    )  # fmt: skip
    comparison = CaseComparison(name, name, FRONT, tuple(results))
    return CaseVerdict(comparison, verdict, place, fails, notices)


def _compared(
    metric: Metric, level: float, harm: float, half: float, caught: float, verdict: Verdict,
    draw: random.Random,
) -> MetricResult:  # fmt: skip
    """Compare a level with one that is worse by ``harm``, give or take ``half``."""
    if verdict is Verdict.INCONCLUSIVE and metric is LATENCY:
        half = 0.11
    p_worse = 0.0003 if harm - half > metric.tolerance and verdict in MOVED else 0.9
    change = Change(
        harm, harm - half, harm + half, metric.tolerance, metric.relative, 0.05, p_worse,
        1 - p_worse, caught * draw.uniform(0.8, 1.3), p_worse, df=draw.uniform(4, 14),
        pairs=400 if metric.kind is Kind.PAIRED else None,
        worst_ids=("prompt 173", "prompt 42") if metric is SCORE and p_worse < 0.05 else (),
    )  # fmt: skip
    now = level * (1 + harm) if metric.relative else level - harm
    timed = metric.kind is Kind.RUN
    return MetricResult(metric, level, now, 9.1 * level if timed else None, change,
                        items=8 if timed else None,
                        runs=_runs(level, now, half) if p_worse < 0.05 else None)  # fmt: skip


def _runs(level: float, now: float, half: float) -> ComparedRuns:
    """Scatter the runs of three sessions, of the one that flags and of five that confirm."""
    draw = random.Random(level)
    return ComparedRuns(
        tuple(
            tuple(center * (1 + draw.gauss(0, half / 4)) for _ in range(5))
            for center in (level * (1 + draw.gauss(0, half / 3)) for _ in range(3))
        ),
        tuple(now * (1 + draw.gauss(0, half / 4)) for _ in range(5)),
        (now * (1 + draw.gauss(0, half / 4)),),
    )


def _exact(metric: Metric, level: float) -> MetricResult:
    change = Change(0.0, 0.0, 0.0, metric.tolerance, metric.relative, 0.05, 1.0, 1.0,
                    metric.tolerance, exact=True)  # fmt: skip
    assert change.outcome is Outcome.UNCHANGED
    return MetricResult(metric, level, level, change=change)


def ready_ms(page: Path) -> float | None:
    """Return how long a browser takes to have the page ready; None where there is no browser."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        times = []
        for _ in range(OPENINGS):
            opened = browser.new_page()
            opened.goto(page.as_uri())
            opened.evaluate(drawn)
            times.append(float(opened.evaluate("performance.now()")))
            opened.close()
        browser.close()
    return statistics.median(times)


def main(arguments: Sequence[str]) -> None:
    """Print a line for each number of cases."""
    from pytest_pareto.report.html.page import render_page

    for count in map(int, arguments or ("12", "100")):
        report = synthetic_session(count)
        started = time.perf_counter()
        text = render_page(report)
        taken_s = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "report.html")
            page.write_text(text, encoding="utf-8")
            ready = ready_ms(page)
        shown = "no browser" if ready is None else f"ready in {ready:.0f} ms"
        size_kb = len(text.encode()) / 1000
        print(f"{count} cases: {size_kb:.1f} kB, written in {taken_s:.2f} s, {shown}")


if __name__ == "__main__":
    main(sys.argv[1:])
