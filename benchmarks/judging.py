"""How long judging takes: cases × 6 metrics × 5 runs × 100 readings, on one core.

Half of the metrics are noisy ones over runs, two are paired over 200 samples, one is exact;
ten cases to a front. Then cases of a single paired metric over 200 samples, in one run. Prints
seconds and their ratio to the number of cases.
"""

import random
import sys
import time
from collections.abc import Sequence

from pytest_pareto.model.baseline import (
    Baseline,
    CaseHistory,
    MetricHistory,
    Past,
    Samples,
    Session,
)
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.pipeline import judge_record

RUNS, READINGS, SAMPLES, FRONT = 5, 100, 200, 10
HERE = Environment("a processor", 2, 2)
IDS = tuple(f"s{i}" for i in range(SAMPLES))
METRICS = (
    *(
        Metric(name, "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)
        for name in ("latency", "first_step", "decode")
    ),
    *(
        Metric(name, "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
        for name in ("accuracy", "similarity")
    ),
    Metric("peak_memory", "B", Better.LOWER, Kind.EXACT, Scope.GPU, 0.01, relative=True),
)


def measurement(metric: Metric, speed: float, rng: random.Random) -> Measurement:
    if metric.kind is Kind.EXACT:
        return Measurement(metric, (1e9 * speed,))
    if metric.kind is Kind.PAIRED:
        scores = tuple(0.9 + 0.01 * rng.gauss(0, 1) for _ in IDS)
        return Measurement(metric, scores, IDS)
    mood = rng.lognormvariate(0, 0.01)
    readings = (speed * mood * rng.lognormvariate(0, 0.02) for _ in range(READINGS))
    return Measurement(metric, tuple(readings))


def history(metric: Metric, speed: float, rng: random.Random) -> MetricHistory:
    levels = tuple(speed * rng.lognormvariate(0, 0.01) for _ in range(RUNS))
    samples = None
    if metric.kind is Kind.EXACT:
        levels = (1e9 * speed,)
    elif metric.kind is Kind.PAIRED:
        levels = (0.9,) * RUNS
        samples = Samples(IDS, tuple(0.9 + 0.01 * rng.gauss(0, 1) for _ in IDS))
    sessions = (Session("here", 0, levels),)
    return MetricHistory(metric.unit, metric.better, metric.kind, metric.scope, sessions, samples)


def project(
    cases: int, metrics: Sequence[Metric] = METRICS, runs: int = RUNS
) -> tuple[Baseline, list[Run]]:
    rng = random.Random(1)
    names = [f"test_m.py::test_{i // FRONT}[{i % FRONT}]" for i in range(cases)]
    speeds = [1.0 + 0.3 * (i % FRONT) for i in range(cases)]
    remembered = {
        name: CaseHistory(
            name, name.split("[")[0], "", {m.name: history(m, speed, rng) for m in metrics}
        )
        for name, speed in zip(names, speeds, strict=True)
    }
    measured = [
        Run(
            HERE,
            {
                name: CaseRun(
                    name,
                    name,
                    name.split("[")[0],
                    "",
                    tuple(measurement(m, speed, rng) for m in metrics),
                )
                for name, speed in zip(names, speeds, strict=True)
            },
        )
        for _ in range(runs)
    ]
    return Baseline("here", remembered, {"here": HERE}), measured


def judged_cases(baseline: Baseline, runs: list[Run]) -> int:
    judged = judge_record(SessionRecord(tuple(runs), Policy()), Past(baseline))
    return len(judged.judgement.cases)


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or [100, 1_000, 10_000]
    judged_cases(*project(10))  # imports and first calls are not judging
    print(f"{len(METRICS)} metrics × {RUNS} runs × {READINGS} readings, fronts of {FRONT}")
    for size in sizes:
        print_time(size, METRICS, RUNS)
    scores = [metric for metric in METRICS if metric.kind is Kind.PAIRED][:1]
    print(f"1 metric of {SAMPLES} samples in 1 run, fronts of {FRONT}")
    for size in sizes:
        print_time(size, scores, 1)


def print_time(size: int, metrics: Sequence[Metric], runs: int) -> None:
    baseline, measured = project(size, metrics, runs)
    started = time.process_time()
    judged = judged_cases(baseline, measured)
    seconds = time.process_time() - started
    print(
        f"{size:>6} cases: {seconds:6.2f} s of one core, {1e3 * seconds / size:.2f} ms a case "
        f"({judged} judged)"
    )


if __name__ == "__main__":
    main()
