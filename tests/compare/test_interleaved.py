import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from pytest_pareto.compare.interleaved import align_rounds, compare_interleaved
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY, PEAK_MEMORY, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run

RECORDED = Path(__file__).parents[1] / "data" / "turns"
Process = list[list[float]]


def processes(
    rng: np.random.Generator, count: int, rounds: int, *, process_sd: float, shift: float = 0.0
) -> list[Process]:
    """Return processes of one host: its speed wanders, and each round has a heavy tail."""
    host = np.cumsum(rng.normal(0, 0.03, rounds))
    logs = host + shift + rng.normal(0, process_sd, (count, 1))
    logs = logs + 0.04 * rng.standard_t(3, (count, rounds))
    return [[[x] for x in row] for row in np.exp(logs).tolist()]


def both(
    rng: np.random.Generator, *, pairs: bool, shift: float, process_sd: float = 0.01
) -> tuple[list[Process], list[Process]]:
    """Return three processes of either side: all at the same time, or pair after pair."""
    found: list[list[Process]] = [[], []]
    for number in range(3 if pairs else 1):
        count = 1 if pairs else 3
        group = processes(rng, 2 * count, 40, process_sd=process_sd)
        before, after = 40 * number, 40 * (2 - number) if pairs else 0
        for side, members in enumerate((group[:count], group[count:])):
            factor = math.exp(shift * side)
            found[side] += [
                [[] for _ in range(before)]
                + [[x * factor for x in r] for r in member]
                + [[] for _ in range(after)]
                for member in members
            ]
    return found[0], found[1]


@pytest.mark.parametrize("pairs", [False, True], ids=["at once", "pairs"])
@pytest.mark.parametrize("process_sd", [0.0, 0.01, 0.05])
def test_size_at_the_tolerance(pairs: bool, process_sd: float) -> None:
    rng = np.random.default_rng(7)
    shift = math.log(1.05)
    worse = [
        compare_interleaved(*both(rng, pairs=pairs, shift=shift, process_sd=process_sd)).outcome
        is Outcome.WORSE
        for _ in range(400)
    ]
    assert np.mean(worse) <= 0.075


def test_power_and_the_interval() -> None:
    rng = np.random.default_rng(8)
    changes = [compare_interleaved(*both(rng, pairs=True, shift=math.log(1.2))) for _ in range(200)]
    assert np.mean([c.outcome is Outcome.WORSE for c in changes]) >= 0.9
    covered = np.mean([c.low <= 0.2 <= c.high for c in changes])
    assert covered == pytest.approx(0.9, abs=0.06)


def test_rounds_as_independent_replicates_are_the_trap() -> None:
    """The negative control: a t over rounds calls unchanged code worse far too often."""
    from scipy.stats import ttest_rel

    rng, alarms, kept = np.random.default_rng(9), 0, 0
    for _ in range(200):
        old, new = both(rng, pairs=False, shift=0.0, process_sd=0.02)
        now, then = (np.log(np.array(side)[:, :, 0]).mean(axis=0) for side in (new, old))
        alarms += ttest_rel(now, then, alternative="greater").pvalue <= 0.05
        kept += compare_interleaved(old, new, tolerance=0.0).outcome is Outcome.WORSE
    assert alarms > 0.15 * 200
    assert kept <= 0.08 * 200


def recorded(name: str) -> list[Process]:
    found: list[Process] = json.loads((RECORDED / f"{name}.json").read_text())["processes"]
    return found


@pytest.mark.parametrize("name", ["machine_e_own_cores", "machine_i_shared_core"])
def test_unchanged_code_of_a_recording(name: str) -> None:
    """Every split of six identical processes; only a part of them may be called worse."""
    six = recorded(name)
    worse = 0
    for old in itertools.combinations(range(6), 3):
        new = [n for n in range(6) if n not in old]
        change = compare_interleaved([six[n] for n in old], [six[n] for n in new], tolerance=0.0)
        worse += change.outcome is Outcome.WORSE
    assert worse <= 1


def test_a_planted_slow_down_of_a_recording() -> None:
    six = recorded("machine_i_shared_core")
    slower = [[[1.1 * x for x in r] for r in process] for process in six[3:]]
    change = compare_interleaved(six[:3], slower, tolerance=0.05)
    assert change.outcome is Outcome.WORSE
    assert change.estimate == pytest.approx(0.1, abs=0.03)


def test_the_trap_of_two_pairs_on_cores_of_their_own() -> None:
    """Identical processes differed by up to 18 %, with a standard error of 2.6 % over rounds."""
    four = recorded("machine_g_own_cores")
    for old, new in (((0, 2), (1, 3)), ((1, 2), (0, 3)), ((0, 3), (1, 2)), ((1, 3), (0, 2))):
        change = compare_interleaved([four[n] for n in old], [four[n] for n in new], tolerance=0.0)
        assert change.outcome is not Outcome.WORSE


def test_higher_may_be_better() -> None:
    rng = np.random.default_rng(10)
    old, new = both(rng, pairs=True, shift=math.log(0.7))
    assert compare_interleaved(old, new, better="higher").outcome is Outcome.WORSE
    assert compare_interleaved(old, new).outcome is Outcome.BETTER


def test_one_pair_is_no_evidence() -> None:
    change = compare_interleaved([[[1.0], [1.1]]], [[[2.0], [2.2]]])
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.estimate == pytest.approx(1.0)
    assert "three pairs" in (change.reason or "")


def test_the_error_is_no_less_than_the_rounds_explain() -> None:
    """Two pairs that agree by chance, of rounds that scatter."""
    rounds = [[math.exp(x)] for x in (-0.2, -0.1, 0.0, 0.1, 0.2)]
    nothing: Process = [[] for _ in rounds]
    ones: Process = [[1.0] for _ in rounds]
    old = [[*ones, *nothing], [*nothing, *ones]]
    new = [[*rounds, *nothing], [*nothing, *rounds]]
    change = compare_interleaved(old, new, tolerance=0.0)
    assert change.high - change.low > 0.3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ([], [[[1.0]]], "the baseline holds no processes"),
        ([[[1.0]]], [], "the candidate holds no processes"),
        ([[[1.0], []]], [[[], [1.0]]], "baseline process 0 shares no round with the other side"),
        ([[[1.0]]], [[[0.0]]], r"candidate process 0, round 0 is \[0.0\]"),
        ([[1.0]], [[[1.0]]], "baseline process 0, round 0 is 1.0"),
        ([[[math.nan]]], [[[1.0]]], "baseline process 0, round 0"),
        ([[["x"]]], [[[1.0]]], "baseline process 0, round 0"),
        (
            [[[1.0], [], [1.0]]],
            [[[1.0], [1.0], []], [[], [1.0], [1.0]]],
            "have none that all of them share",
        ),
    ],
)
def test_bad_input(old: list[Process], new: list[Process], message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        compare_interleaved(old, new)


# A session's pair


def run_of(*readings: tuple[Metric, tuple[float, ...]], block: int = 3) -> Run:
    measured = tuple(Measurement(metric, values) for metric, values in readings)
    case = CaseRun("t.py::t", "t.py::t", "t.py::t", "", measured)
    return Run(Environment("cpu", 2, 2), {case.case_id: case}, block=block)


def values(run: Run, metric: Metric) -> tuple[float, ...]:
    found = run.cases["t.py::t"].measurement(metric.name)
    assert found is not None
    return found.values


def test_the_levels_of_a_pair_differ_by_what_neighbours_do() -> None:
    host = (1.0, 1.5, 2.0, 1.0, 4.0)
    old = run_of((LATENCY, host), (DEVICE_TIME, (1.0, 2.0)), (PEAK_MEMORY, (5.0,)))
    new = run_of(
        (LATENCY, (*(1.1 * x for x in host[:-1]), 40.0)),
        (DEVICE_TIME, (3.0, 4.0)),
        (PEAK_MEMORY, (5.0,)),
    )
    before, after = align_rounds(old, new)
    (then,), (now,) = values(before, LATENCY), values(after, LATENCY)
    assert now / then == pytest.approx(1.1)  # the last round is an outlier
    assert values(after, DEVICE_TIME) == (3.0, 4.0)
    assert after.block == 3


@pytest.mark.parametrize("now", [(1.0, 2.0, 3.0), (1.0, 0.0)])
def test_readings_without_neighbours_stay_as_they_are(now: tuple[float, ...]) -> None:
    old, new = run_of((LATENCY, (1.0, 2.0))), run_of((LATENCY, now))
    assert align_rounds(old, new) == (old, new)
