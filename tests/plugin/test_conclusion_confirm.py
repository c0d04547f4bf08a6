"""``--pareto-confirm``: what looks worse is measured again in fresh processes, and they decide."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import BUILT_IN
from pytest_pareto.model.verdict import Verdict
from pytest_pareto.plugin import conclusion
from pytest_pareto.plugin.conclusion import _measured_before
from tests.plugin.conftest import interrupt_child

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Toy


def own_process_slower(toy: "Toy", factor: float) -> None:
    """Make the first process, and no fresh one, slower by a factor: a mood, not a change."""
    path = toy.path / "conftest.py"
    text = path.read_text()
    slower = text.replace(
        "    of_this_process = random.gauss(1, 0.003)",
        "    import sys\n"
        f"    mood = 1.0 if any('--pareto-child' in a for a in sys.argv) else {factor}\n"
        "    of_this_process = mood * random.gauss(1, 0.003)",
    )
    assert slower != text
    path.write_text(slower)


def test_a_real_change_is_confirmed(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--pareto-confirm=2")
    assert session.exit_code == 1
    case = session.case("large")
    assert case.verdict is Verdict.DOMINATED
    assert case.comparison.confirmed == {"latency"}
    assert "1 run in" in session.text
    assert "1 case measured again in 2 fresh runs" in session.text
    assert "unconfirmed" not in session.text
    assert "pareto: 1 case looks worse; measuring it again in 2 fresh processes" in session.text
    session.result.assert_outcomes(passed=3, failed=1)


@pytest.mark.parametrize("mode", ["--pareto-update", "--pareto-update=runs"])
def test_an_update_does_not_advise_to_record_more(toy: "Toy", mode: str) -> None:
    """18 % more, where sessions may differ by 7.7 %: only 25 % could be shown by any number."""
    toy.change(large={"seconds": 0.04 * 1.18})
    session = toy.run("--pareto", mode, "--pareto-runs=1", "--pareto-confirm=2", "-v")
    said = " ".join(session.text.split())
    assert "latency of 1 case looks worse; use --pareto-against" in said
    assert "more runs will not help" in said
    assert "record more" not in said
    assert "--pareto-update" not in said


def test_what_more_runs_cannot_show_is_not_repeated(toy: "Toy") -> None:
    """18 % more, where sessions may differ by 7.7 %: only 25 % could be shown by any number."""
    toy.change(large={"seconds": 0.04 * 1.18})
    session = toy.run("--pareto", "--pareto-confirm=2")
    assert session.exit_code == 0
    said = " ".join(session.text.split())
    assert "not repeated, since more runs could not show it: latency of 1 case looks worse" in said
    assert "record more sessions (--pareto-update=runs), or use --pareto-against" in said
    assert "measured again" not in session.text
    latency = session.case("large").comparison.metric("latency")
    assert latency is not None
    assert latency.outcome is Outcome.INCONCLUSIVE
    assert latency.change is not None
    assert latency.change.p_confirming is not None
    assert latency.change.p_confirming < 0.05 < latency.change.p_worse < 0.2
    assert "more runs will not help" in (latency.change.reason or "")


def test_a_mood_of_the_machine_is_not(toy: "Toy") -> None:
    own_process_slower(toy, 1.5)
    alone = toy.run("--pareto", "--pareto-confirm=0")
    assert alone.exit_code == 1
    assert "unconfirmed" in alone.text
    session = toy.run("--pareto", "--pareto-confirm=1")
    assert session.exit_code == 0
    assert "3 cases measured again in 1 fresh run" in session.text
    result = session.case("small").comparison.metric("latency")
    assert result is not None
    assert result.outcome is not Outcome.WORSE
    assert result.change is not None
    assert abs(result.change.estimate) < 0.05


def count_calls(toy: "Toy") -> None:
    """Let each process count the calls of each case, in files `CASE.PID.calls`."""
    source = (toy.path / "test_toy.py").read_text()
    counting = source.replace(
        "    pareto.measure(sleep, ",
        "    import os\n"
        "    def call(seconds):\n"
        "        with open(f'{variant}.{os.getpid()}.calls', 'a') as calls: calls.write('x')\n"
        "        sleep(seconds)\n"
        "    pareto.measure(call, ",
    )
    assert counting != source
    (toy.path / "test_toy.py").write_text(counting)


def calls_by_process(toy: "Toy", name: str) -> list[int]:
    """Return how often each process but this one called the function of a case, ascending."""
    files = toy.path.glob(f"{name}.*.calls")
    return sorted(len(f.read_text()) for f in files if f".{os.getpid()}." not in f.name)


def test_what_nobody_suspects_runs_once_and_is_not_measured(toy: "Toy") -> None:
    count_calls(toy)
    toy.change(large={"seconds": 0.08})
    toy.run("--pareto", "--pareto-confirm=1")
    assert calls_by_process(toy, "small") == [1]
    assert calls_by_process(toy, "large")[0] > 3


def test_what_is_sure_after_two_runs_is_not_measured_more_often(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.4})
    session = toy.run("--pareto", "--pareto-confirm=5")
    assert session.exit_code == 1
    assert "1 case measured again in 2 fresh runs" in session.text


def test_each_case_is_measured_again_as_often_as_it_needs(
    toy: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    def needed(_: object, names: frozenset[tuple[str, str]], most: int) -> dict[str, int]:
        return {case: 2 if "large" in case else most for case, _ in names}

    monkeypatch.setattr(conclusion, "confirming_runs", needed)
    count_calls(toy)
    toy.change(large={"seconds": 0.4}, medium={"seconds": 0.2})
    session = toy.run("--pareto", "--pareto-confirm=4")
    assert session.exit_code == 1
    assert "measuring them again in 4 fresh processes" in session.text
    assert "2 cases measured again in 2 to 4 fresh runs" in session.text
    measured = [
        [calls > 1 for calls in calls_by_process(toy, name)]
        for name in ("small", "medium", "large")
    ]
    assert measured == [[False] * 4, [True] * 4, [False, False, True, True]]
    assert session.case("large").verdict is Verdict.DOMINATED


def test_only_what_leads_to_a_flagged_metric_is_measured_again(toy: "Toy") -> None:
    """Of latency alone the rounds are made, and not the calls that count the host's work."""
    count_calls(toy)
    toy.change(large={"seconds": 0.4})
    toy.run("--pareto", "--pareto-confirm=1")
    (own,) = toy.path.glob(f"large.{os.getpid()}.calls")
    assert calls_by_process(toy, "large") == [1 + 1 + 3]
    assert len(own.read_text()) > 1 + 1 + 3


@pytest.mark.parametrize(
    ("flagged", "last"),
    [
        ({"latency"}, "latency"),
        ({"time_per_item", "latency"}, "time_per_item"),
        ({"resident_memory"}, "resident_memory"),
        ({"energy"}, "device_time"),
        ({"energy", "flops"}, "flops"),
    ],
)
def test_the_meters_before_a_flagged_metric_run_as_in_the_baseline(
    flagged: set[str], last: str
) -> None:
    names = _measured_before(frozenset(flagged))
    order = list(BUILT_IN)
    assert names == frozenset(order[: 1 + order.index(last)])


def test_a_metric_that_is_not_built_in_may_need_any_other() -> None:
    assert _measured_before(frozenset({"latency", "encode"})) is None


def test_nothing_suspicious_costs_nothing(toy: "Toy") -> None:
    session = toy.run("--pareto", "--pareto-confirm=5")
    assert session.exit_code == 0
    assert "measured again" not in session.text


def test_scores_are_judged_once(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    scores = source.replace(
        'pareto.record("accuracy", world["accuracy"], ',
        'pareto.record("accuracy", [world["accuracy"]] * 9, ids=range(9), ',
    )
    assert scores != source
    (toy.path / "test_toy.py").write_text(scores)
    toy.run("--pareto", "--pareto-update=all", "--pareto-runs=2")
    toy.change(medium={"accuracy": 0.6})
    session = toy.run("--pareto", "--pareto-confirm=3")
    assert session.exit_code == 1
    assert "measured again" not in session.text
    assert "unconfirmed" not in session.text


def test_what_is_exact_is_looked_at_once_more(fresh_toy: "Toy") -> None:
    (fresh_toy.path / "test_toy.py").write_text(
        "import json, pathlib\n"
        "def test_a(pareto):\n"
        "    world = json.loads(pathlib.Path(__file__).with_name('world.json').read_text())\n"
        "    pareto.record('bits', world['small']['accuracy'], better='lower', tolerance=0.0)\n"
    )
    fresh_toy.run("--pareto", "--pareto-update", "--pareto-runs=3")
    fresh_toy.change(small={"accuracy": 0.9})
    session = fresh_toy.run("--pareto", "--pareto-confirm=5")
    assert session.exit_code == 1
    assert "1 case measured again in 1 fresh run" in session.text


def test_a_test_that_fails_when_measured_again_breaks_its_case(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(
        source.replace(
            "def test_other",
            "    import sys\n    assert '--pareto-child' not in sys.argv, 'only once'\n\n"
            "def test_other",
        )
    )
    session = toy.run("--pareto", "--pareto-confirm=2")
    assert session.exit_code == 1
    case = session.case("large")
    assert case.verdict is Verdict.BROKEN
    assert "the test failed in confirming run 1 of 2" in case.fails[0]


def test_a_process_that_dies_is_told_and_decides_nothing(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    with (toy.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nimport os, sys\n"
            "def pytest_runtest_call(item):\n"
            "    if '--pareto-child' in sys.argv and 'large' in item.name: os._exit(7)\n"
        )
    session = toy.run("--pareto", "--pareto-confirm=2")
    assert session.exit_code == 1
    told = " ".join(session.text.split())
    assert "confirming run 1 of 2 failed: it ended with exit code 7" in told
    assert session.case("large").fails  # on what the session itself measured
    assert "unconfirmed" in session.text


def test_an_update_accepts_what_was_confirmed_only(toy: "Toy") -> None:
    own_process_slower(toy, 1.5)
    before = toy.baseline_files
    session = toy.run("--pareto", "--pareto-update", "--pareto-runs=1", "--pareto-confirm=2")
    # All of its runs are fresh ones: nothing looks worse.
    assert session.exit_code == 0
    assert toy.baseline_files == before


def test_a_session_that_was_stopped_confirms_nothing(toy: "Toy") -> None:
    toy.change(small={"seconds": 0.08})
    with (toy.path / "test_toy.py").open("a") as tests:
        tests.write("\ndef test_red():\n    assert False\n")
    session = toy.run("--pareto", "--pareto-confirm=2", "-x")
    assert "measured again" not in session.text
    assert session.exit_code != 0


@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_what_is_no_number_of_processes_is_refused(toy: "Toy", value: str) -> None:
    session = toy.run("--pareto", f"--pareto-confirm={value}")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "it takes a whole number of fresh processes" in session.text


def test_it_is_quiet_under_q(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--pareto-confirm=1", "-q")
    assert session.exit_code == 1
    assert "looks worse" not in session.text
    assert "confirming run" not in session.text


def test_the_ini_file_can_say_so(toy: "Toy") -> None:
    (toy.path / "pytest.ini").write_text("[pytest]\npareto_confirm = 1\n")
    toy.change(large={"seconds": 0.08})
    command = [sys.executable, "-m", "pytest", "--pareto", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=toy.path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 case measured again in 1 fresh run" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_interrupted_while_confirming_it_tells_what_it_knows(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    with (toy.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nimport os, pathlib, sys, time\n"
            "def pytest_runtest_call(item):\n"
            "    if '--pareto-child' in sys.argv:\n"
            "        pathlib.Path('pid').write_text(str(os.getpid()))\n"
            "        time.sleep(60)\n"
        )
    output = interrupt_child(toy.path, "--pareto-confirm=2")
    assert "incomplete: interrupted while measuring again" in " ".join(output.split())
    assert "latency" in output


def test_without_pareto_it_has_no_effect(run: "Run") -> None:
    session = run("--pareto-confirm=3")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--pareto-confirm has no effect without --pareto" in session.text
