"""Simulated sessions as the product's own nouns."""

from dataclasses import replace
from statistics import fmean

import numpy as np

from benchmarks.calibration.noise import Values
from benchmarks.calibration.world import CASES, NAMES, QUALITY, SAMPLES, InTurn, Stored, World
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import RUNS_PER_BLOCK
from pytest_pareto.model.run import CaseRun, Interleaved, Measurement, Run
from pytest_pareto.stats.scale import summarise_run

HERE = Environment("EPYC", 16, 8, gpu_product="NVIDIA H200", gpu_count=1, boards=("ab12",))
FRONTS = tuple(name.partition("[")[0] for name in NAMES)
IDS = tuple(f"s{i:03}" for i in range(SAMPLES))


def baseline_of(session: Stored) -> Baseline:
    """Return what is remembered of the old code: one session."""
    levels = levels_of(session.old)
    samples = [round_samples(row) for row in session.before.tolist()]
    cases = {
        name: CaseHistory(
            name,
            FRONTS[i],
            "",
            {
                metric.name: _history(metric, tuple(of_metric[i]))
                for metric, of_metric in zip(session.world.metrics, levels, strict=True)
            }
            | {QUALITY.name: _history(QUALITY, (fmean(samples[i]),), Samples(IDS, samples[i]))},
        )
        for i, name in enumerate(NAMES)
    }
    return Baseline(HERE.hardware_key, cases, {"here": HERE})


def levels_of(times: Values) -> list[list[list[float]]]:
    """Summarise every run as the product does: (time, case, run) of (time, case, run, call)."""
    return [[levels_of_case(runs) for runs in cases] for cases in times]


def levels_of_case(runs: Values) -> list[float]:
    """Summarise the runs of one case: (run, call)."""
    return [summarise_run(calls, relative=True) for calls in runs.tolist()]


def runs_of(session: Stored) -> tuple[Run, ...]:
    """Return what the session measured."""
    return _runs(session.world, session.new, session.after)


def confirming_runs_of(session: Stored) -> tuple[Run, ...]:
    """Return what it measured again, in fresh processes."""
    return _runs(session.world, session.confirm, session.after)


def turns_of(session: InTurn, blocks: int, *, after: int = 0) -> Interleaved:
    """Return what was measured in the blocks that follow ``after`` others."""
    old, new = session.taken(blocks, after=after)
    sides = (
        _runs(session.world, times, scores)
        for times, scores in ((old, session.before), (new, session.after))
    )
    return Interleaved(
        *(
            tuple(
                replace(run, block=after + 1 + number // RUNS_PER_BLOCK)
                for number, run in enumerate(runs)
            )
            for runs in sides
        )
    )


def _runs(world: World, times: Values, scores: Values) -> tuple[Run, ...]:
    samples = [tuple(row) for row in scores.tolist()]
    runs = np.moveaxis(times, 2, 0).tolist()  # (run, time, case, call)
    return tuple(
        Run(HERE, {NAMES[i]: _case_run(world, i, run, samples[i]) for i in range(CASES)})
        for run in runs
    )


def _case_run(
    world: World, case: int, run: list[list[list[float]]], scores: tuple[float, ...]
) -> CaseRun:
    times = (
        Measurement(metric, tuple(calls[case]))
        for metric, calls in zip(world.metrics, run, strict=True)
    )
    quality = Measurement(QUALITY, scores, IDS)
    return CaseRun(NAMES[case], NAMES[case], FRONTS[case], "", (*times, quality))


def _history(
    metric: Metric, levels: tuple[float, ...], samples: Samples | None = None
) -> MetricHistory:
    sessions = (Session("here", 0, levels),)
    return MetricHistory(metric.unit, metric.better, metric.kind, metric.scope, sessions, samples)
