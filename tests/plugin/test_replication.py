"""``--pareto-runs auto``: a pilot, and then as many runs as its spread asks for."""

import re
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.plugin import replication

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

NO_SESSIONS = "[pytest]\npareto_session_spread =\n    host = 0\n    host_adjusted = 0\n"


def noisy(toy: "Toy") -> None:
    """Make the processes of the toy differ, 4 % up and down in turn, and sessions not.

    Ten such runs against three ask for about eleven: far from three and from more than help."""
    path = toy.path / "conftest.py"
    text = path.read_text()
    counted = text.replace(
        "    of_this_process = random.gauss(1, 0.003)",
        "    import pathlib\n"
        "    file = pathlib.Path(__file__).with_name('count')\n"
        "    count = len(file.read_text()) if file.exists() else 0\n"
        "    file.write_text('x' * (count + 1))\n"
        "    of_this_process = 1.04 if count % 2 else 0.96",
    )
    assert counted != text
    path.write_text(counted)
    (toy.path / "pytest.ini").write_text(NO_SESSIONS)


def taken(text: str) -> int:
    found = re.search(r"(\d+) runs? in ", text)
    assert found is not None, text
    return int(found[1])


def test_a_quiet_machine_needs_no_more(toy: "Toy") -> None:
    (toy.path / "pytest.ini").write_text(NO_SESSIONS)
    session = toy.run("--pareto", "--pareto-runs=auto")
    assert session.exit_code == 0
    assert taken(session.text) == 3


def test_a_noisy_one_takes_what_would_settle_it(
    fresh_toy: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy(fresh_toy)
    monkeypatch.setattr(replication, "MAX_RUNS", 5)  # it wants about 11
    fresh_toy.run("--pareto", "--pareto-update", "--pareto-runs=10")
    session = fresh_toy.run("--pareto", "--pareto-runs=auto")
    assert taken(session.text) == 5
    assert "2 more runs, to settle their spread" in session.text


def test_it_stays_within_its_time(toy: "Toy") -> None:
    noisy(toy)
    with (toy.path / "pytest.ini").open("a") as ini:
        ini.write("pareto_time_budget = 0.1\n")
    session = toy.run("--pareto", "--pareto-runs=auto")
    assert taken(session.text) == 3


def test_what_no_number_of_runs_settles_asks_for_none(toy: "Toy") -> None:
    session = toy.run("--pareto", "--pareto-runs=auto")  # sessions are assumed to differ by 4 %
    assert taken(session.text) == 3
    assert "more runs will not help" in session.text


@pytest.mark.parametrize("budget", ["much", "0", "inf"])
def test_a_budget_that_is_none_is_refused(toy: "Toy", budget: str) -> None:
    (toy.path / "pytest.ini").write_text(f"[pytest]\npareto_time_budget = {budget}\n")
    session = toy.run("--pareto", "--pareto-runs=auto")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "pareto_time_budget" in session.text
