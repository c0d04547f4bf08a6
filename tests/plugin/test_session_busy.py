"""Real sessions that measure beside busy processes, on one core: not red, and they say why."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import MetricResult
from tests.busy import needs_wait_times

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

pytestmark = needs_wait_times


@pytest.fixture
def host() -> None:
    """The host is the real one: these tests are of it."""


WORK = """
import sys
import pytest

sys.path.append({checkout!r})
from tests.busy import one_core

def work():
    return sum(range({count}))

@pytest.mark.pareto(
    rounds=10, warmup=1, tolerance={{"latency": {tolerance}}},
    skip_metrics=["python_calls", "c_calls"],
)
def test_work(pareto):
    with one_core(rivals={rivals}):
        pareto.measure(work)
"""
ANY = 1000.0
"""A tolerance that no waiting exceeds: what is measured under it is compared, and recorded."""


def write(path: Path, *, tolerance: float, count: int = 200_000, rivals: int = 2) -> None:
    checkout = str(Path(__file__).parents[2])
    text = WORK.format(checkout=checkout, tolerance=tolerance, count=count, rivals=rivals)
    (path / "test_work.py").write_text(text)


def latency(session: "Session") -> MetricResult:
    (case,) = session.cases
    found = case.comparison.metric("latency")
    assert found is not None
    return found


def test_a_starved_session_is_neither_red_nor_recorded(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    write(pytester.path, tolerance=0.05)
    new = run("--pareto", "--pareto-runs=1", "--pareto-update", "-v")
    assert not [*pytester.path.rglob("pareto_baselines/*/test_work.json")]
    assert "waited for a core (others used" in " ".join(new.text.split())
    # The same session under a tolerance that allows the waiting is recorded, and compared.
    write(pytester.path, tolerance=ANY)
    assert run("--pareto", "--pareto-runs=1", "--pareto-update").exit_code == 0
    (entry,) = pytester.path.rglob("pareto_baselines/*/test_work.json")
    recorded = entry.read_text()
    assert latency(run("--pareto")).outcome is not Outcome.NOT_COMPARABLE
    write(pytester.path, tolerance=0.05, count=300_000)
    slower = run("--pareto")
    accepting = run("--pareto", "--pareto-runs=1", "--pareto-confirm=0", "--pareto-update=all")
    for session in (new, slower, accepting):
        assert session.exit_code == 0, session.text
        assert latency(session).outcome is Outcome.NOT_COMPARABLE
        assert "the host was busy: this process waited for a core for up to" in session.text
    assert entry.read_text() == recorded


def test_what_waiting_cannot_explain_is_red_on_a_busy_host_too(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    # Five runs, since these wait for other tests of the suite and then differ by a factor of two.
    write(pytester.path, tolerance=ANY, count=100_000, rivals=0)
    assert run("--pareto", "--pareto-runs=5", "--pareto-update").exit_code == 0
    write(pytester.path, tolerance=0.05, count=10_000_000)
    session = run("--pareto", "--pareto-runs=2", "--pareto-confirm=1", "-v")
    assert session.exit_code == 1, session.text
    assert latency(session).outcome is Outcome.WORSE
    (case,) = session.cases
    assert case.comparison.broken is None
    assert case.comparison.confirmed == {"latency"}
    assert "compared without the time that waiting can explain" in " ".join(session.text.split())
    (entry,) = pytester.path.rglob("pareto_baselines/*/test_work.json")
    recorded = entry.read_text()
    accepting = run("--pareto", "--pareto-runs=1", "--pareto-confirm=0", "--pareto-update=all")
    assert entry.read_text() == recorded
    assert accepting.exit_code == 1
