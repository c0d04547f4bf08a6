"""Other tools' rules, each against a case that is computed by hand."""

import numpy as np
import pytest

from benchmarks.calibration import peers
from benchmarks.calibration.peers import Calls, Criterion
from benchmarks.calibration.table import PEERS


def calls(*values: float) -> Calls:
    return np.array(values, dtype=np.float64)


def ladder(count: int, start: float) -> Calls:
    """Evenly spaced readings, a thousandth apart."""
    return calls(*(start + 0.001 * i for i in range(count)))


def test_pytest_benchmark_compares_means_with_five_per_cent() -> None:
    assert not peers.pytest_benchmark(calls(1, 3), calls(2.0, 2.18))  # +4.5 %
    assert peers.pytest_benchmark(calls(1, 3), calls(2.0, 2.22))  # +5.5 %


@pytest.mark.parametrize(
    ("count", "new", "said"),
    [
        (4, 2.0, False),  # 1 / C(8, 4) = .014: the test could not reach .002
        (6, 2.0, False),  # all above: 2 / C(12, 6) = .00216
        (7, 2.0, True),  # 2 / C(14, 7) = .00058
        (7, 1.05, False),  # as clear, but the medians are less than a tenth apart
        (25, 2.0, True),
    ],
)
def test_asv_needs_a_clear_difference_and_a_factor(count: int, new: float, said: bool) -> None:
    assert peers.asv(ladder(count, 1.0), ladder(count, new)) is said
    assert not peers.asv(ladder(count, new), ladder(count, 1.0))


def test_benchstat_needs_four_on_each_side() -> None:
    assert not peers.benchstat(ladder(3, 1.0), ladder(3, 1.1))  # 2 / C(6, 3) = .1
    assert peers.benchstat(ladder(4, 1.0), ladder(4, 1.1))  # 2 / C(8, 4) = .029
    assert not peers.benchstat(ladder(4, 1.1), ladder(4, 1.0))


def test_welch() -> None:
    one, four = calls(1, 2, 3), calls(4, 5, 6)
    assert float(peers.welch_t(four, one)) == pytest.approx(3 / np.sqrt(2 / 3))
    assert peers.welch(one, four)  # t = 3.67 with 4 degrees of freedom: p = .021
    assert not peers.welch(one, calls(2, 3, 4))  # t = 1.22: p = .29
    assert not peers.welch(four, one)


def test_nvbench_compares_with_the_smaller_relative_deviation() -> None:
    base = calls(9, 10, 11)  # a deviation of 1 in 10
    assert not peers.nvbench(base, calls(9.5, 10.5, 11.5))  # +5 %, and 1 in 10.5 is 9.5 %
    assert peers.nvbench(base, calls(10.2, 11.2, 12.2))  # +12 %, and 1 in 11.2 is 8.9 %
    assert not peers.nvbench(calls(1.0), calls(2.0))  # one reading has no deviation


def test_criterion_needs_a_clear_difference_and_one_per_cent() -> None:
    rule, base = Criterion(resamples=2_000), calls(*[0.99, 1.01] * 20)
    # The means' ratio has a standard error of .01 √(2 / 40) = .0022.
    assert rule(base, base * 1.03)  # from about 2.6 %
    assert not rule(base, base * 1.01)  # from about .6 %, with t = 4.4
    assert not rule(base, base)
    assert not rule(base, base * 0.97)


def test_criterion_without_a_clear_difference_says_nothing() -> None:
    base = calls(1, 2, 3, 4)
    assert not Criterion(resamples=2_000)(base, base * 1.2)


def test_every_tool_of_the_table_has_a_rule() -> None:
    rules = peers.rules(resamples=10)
    assert list(rules) == list(PEERS)
    assert all(rule(ladder(30, 1.0), ladder(30, 1.5)) for rule in rules.values())
    assert not any(rule(ladder(30, 1.0), ladder(30, 1.0)) for rule in rules.values())
