"""Real sessions write JSON, and `pytest-pareto compare` comes to their verdicts from it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto import cli
from tests.plugin.conftest import SIMULATED_CLOCK, TOY, WORLD
from tests.plugin.test_session_rules import as_old_version

SCORED = TOY.replace(
    "tolerance=0.01)\n",
    'tolerance=0.01)\n    scores = {f"p{i}": world["score"] + i % 3 / 100 for i in range(40)}\n'
    '    pareto.record("score", scores, better="higher", tolerance=0.01)\n',
    1,
)
QUIET = ("-p", "no:cov", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-p", "no:xdist")
NOW = {
    "small": {"seconds": 0.02, "accuracy": 0.80, "score": 0.5},
    "medium": {"seconds": 0.01, "accuracy": 0.90, "score": 0.5},
    "large": {"seconds": 0.03, "accuracy": 0.95, "score": 0.48},
}
"""A regression, an improvement, and a trade-off."""
VERDICTS = {"small": "DOMINATED", "medium": "IMPROVED", "large": "TRADE_OFF"}


WORK = """
import work

def test_work(pareto, sleep):
    pareto.configure(rounds=3, warmup=1).measure(sleep, work.SECONDS)
"""


@dataclass(frozen=True)
class Sessions:
    """A folder in which sessions wrote files."""

    path: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "--pareto", *QUIET, *arguments]
        hidden = ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
        env = {name: value for name, value in os.environ.items() if name not in hidden}
        return subprocess.run(
            command, cwd=self.path, env=env, capture_output=True, text=True, check=False
        )

    def change(self, world: object) -> None:
        (self.path / "world.json").write_text(json.dumps(world))

    def git(self, *arguments: str) -> None:
        command = ["git", "-c", "user.email=none@example.org", "-c", "user.name=none", *arguments]
        subprocess.run(command, cwd=self.path, capture_output=True, check=True)

    def content(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())


@pytest.fixture(scope="module")
def recorded_sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    """One session that records, and two that judge: without and with confirmation."""
    sessions = Sessions(tmp_path_factory.mktemp("sessions"))
    (sessions.path / "test_toy.py").write_text(SCORED)
    (sessions.path / "conftest.py").write_text(SIMULATED_CLOCK)
    sessions.change({name: {**facts, "score": 0.5} for name, facts in WORLD.items()})
    done = sessions.run("--pareto-update", "--pareto-runs=3", "--pareto-json=a.json")
    assert done.returncode == 0, done.stdout
    sessions.git("init", "--quiet")
    sessions.git("add", "--all")
    sessions.git("commit", "--quiet", "--message", "Recorded")
    sessions.change(NOW)
    assert sessions.run("--pareto-confirm=0", "--pareto-json=b.json").returncode == 1
    assert sessions.run("--pareto-confirm=2", "--pareto-json=confirmed.json").returncode == 1
    return sessions


Compare = Callable[..., Any]


@pytest.fixture
def compare(
    recorded_sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Compare:
    monkeypatch.chdir(recorded_sessions.path)

    def compared(a: str, *rest: str, code: int = 1) -> Any:
        out = tmp_path / "out.json"
        assert cli.main(["compare", a, *rest, f"--json={out}"]) == code
        return json.loads(out.read_text())

    return compared


def told(content: Any) -> dict[str, tuple[object, ...]]:
    """What was decided, and the numbers to nine digits: a baseline's own levels have seven."""
    return {
        **{c["case"]: (c["verdict"], c["position"], c["on_front"]) for c in content["cases"]},
        **{f"{m['case']} {m['metric']}": (m["outcome"], *figures(m)) for m in content["metrics"]},
    }


def figures(row: dict[str, Any]) -> tuple[str, ...]:
    names = ("estimate", "low", "high", "p_worse", "p_convicting", "resolution", "df")
    return tuple(f"{row[name]:.9g}" for name in names if row[name] is not None)


@pytest.mark.parametrize("file", ["b.json", "confirmed.json"])
@pytest.mark.parametrize("a", ["a.json", "pareto_baselines", "HEAD", "HEAD:./pareto_baselines"])
def test_compare_comes_to_the_verdicts_of_the_session(
    compare: Compare, recorded_sessions: Sessions, a: str, file: str
) -> None:
    session = recorded_sessions.content(file)
    verdicts = {c["case"].partition("[")[2][:-1]: c["verdict"] for c in session["cases"]}
    assert verdicts == VERDICTS
    found = compare(a, file)
    assert told(found) == told(session)
    assert [c["fails"] for c in found["cases"]] == [c["fails"] for c in session["cases"]]
    confirmed = {name for case in session["cases"] for name in case["confirmed"]}
    assert bool(confirmed) == (file == "confirmed.json")
    assert found["evidence"]["runs"] == session["evidence"]["runs"]


def test_what_was_confirmed_decides(compare: Compare, recorded_sessions: Sessions) -> None:
    """The negative control: without its confirming runs the file comes to other numbers."""
    content = recorded_sessions.content("confirmed.json")
    content["evidence"]["flagged"] = []
    path = recorded_sessions.path / "unconfirmed.json"
    path.write_text(json.dumps(content))
    assert told(compare("a.json", "unconfirmed.json")) != told(content)


def test_a_session_against_itself_is_no_regression(compare: Compare) -> None:
    """The negative control: what differs are the results, and not what compares them."""
    found = compare("a.json", "a.json", code=0)
    assert {c["verdict"] for c in found["cases"]} <= {"UNCHANGED", "INCONCLUSIVE"}
    assert compare("pareto_baselines", "pareto_baselines", code=0)["gate"]["failed"] is False


def test_the_other_way_round_the_improvement_is_the_regression(compare: Compare) -> None:
    found = compare("b.json", "a.json")
    verdicts = {c["case"].partition("[")[2][:-1]: c["verdict"] for c in found["cases"]}
    assert verdicts["medium"] == "DOMINATED"
    assert verdicts["small"] == "IMPROVED"


def test_what_was_confirmed_is_what_an_old_side_holds(compare: Compare) -> None:
    """As an update would have written it; and what was flagged need not be known to another A."""
    found = compare("confirmed.json", "confirmed.json", code=0)
    assert {c["verdict"] for c in found["cases"]} <= {"UNCHANGED", "INCONCLUSIVE"}
    assert {c["case"].partition("[")[2][:-1] for c in found["cases"]} == {*VERDICTS}
    runs = {c["case"]: len(c["runs"]) for c in found["evidence"]["again"]["cases"]}
    assert {*runs.values()} == {2}
    assert found["session"]["baseline_runs"] == 2


@pytest.mark.parametrize("old", [False, True])
def test_a_baseline_on_the_new_side_has_its_own_tolerances_or_those_of_the_old(
    compare: Compare, tmp_path: Path, old: bool
) -> None:
    folder = shutil.copytree("pareto_baselines", tmp_path / "baseline")
    if old:
        as_old_version(tmp_path, "baseline")
    found = compare("a.json", str(folder), code=0)
    tolerances = {
        m["metric"]: m["tolerance"] for m in found["metrics"] if m["estimate"] is not None
    }
    assert tolerances == {"latency": 0.05, "accuracy": 0.01, "score": 0.01, "python_calls": 0.0}
    notices = "".join(found["gate"]["notices"])
    assert ("holds no tolerances: those of a.json hold" in notices) is old
    assert found["gate"]["rules"] == []


def test_compare_tells_the_rules_that_changed(
    recorded_sessions: Sessions, compare: Compare, tmp_path: Path
) -> None:
    folder = shutil.copytree("pareto_baselines", tmp_path / "baseline")
    for file in folder.glob("*/test_toy.json"):
        text = file.read_text()
        file.write_text(text.replace('"tolerance": 0.05', '"tolerance": 0.04'))
    rules = compare(str(folder), "b.json")["gate"]["rules"]
    kinds = {(rule["kind"], rule["name"], rule["recorded"], rule["now"]) for rule in rules}
    assert kinds == {("tolerance", "latency", "4 %", "5 %"), ("edited", "latency", "", "")}


def test_single_calls_are_not_in_the_file(recorded_sessions: Sessions) -> None:
    evidence = recorded_sessions.content("a.json")["evidence"]
    names = [metric["name"] for metric in evidence["metrics"]]
    for case in evidence["runs"]["cases"]:
        (latency,) = [m for m in case["metrics"] if names[m["metric"]] == "latency"]
        assert len(latency["levels"]) == 3
        (score,) = [m for m in case["metrics"] if names[m["metric"]] == "score"]
        assert [len(scored["values"]) for scored in score["scores"]] == [40]


@pytest.mark.parametrize("confirm", [0, pytest.param(4, marks=pytest.mark.slow)])
def test_old_code_against_new_is_judged_again_from_its_file(
    compare: Compare, tmp_path: Path, confirm: int
) -> None:
    project = Sessions(tmp_path / "project")
    project.path.mkdir()
    (project.path / "work.py").write_text("SECONDS = 0.01\n")
    (project.path / "test_work.py").write_text(WORK)
    (project.path / "conftest.py").write_text(SIMULATED_CLOCK)
    project.git("init", "--quiet")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Fast")
    (project.path / "work.py").write_text("SECONDS = 0.02\n")
    done = project.run(
        *("--pareto-against=HEAD", "--pareto-runs=2", f"--pareto-confirm={confirm}"),
        "--pareto-json=turns.json",
    )
    session = project.content("turns.json")
    assert session["session"]["ref"] is not None, done.stdout
    assert [case["verdict"] for case in session["cases"]] == ["DOMINATED"], done.stdout
    file = str(project.path / "turns.json")
    found = compare(file)
    assert told(found) == told(session)
    assert found["gate"] == session["gate"]
    # Beside another result it stands for its new code alone.
    beside = compare(file, file, code=0)
    assert [case["verdict"] for case in beside["cases"]] != ["DOMINATED"]
    assert any("its new code alone" in notice for notice in beside["gate"]["notices"])


def test_what_took_turns_with_nothing_stands_not_alone(
    recorded_sessions: Sessions, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recorded_sessions.path)
    assert cli.main(["compare", "a.json"]) == 2
    assert "has one side only: name B too" in capsys.readouterr().err
