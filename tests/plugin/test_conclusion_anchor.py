"""``--pareto-anchor``: small changes that add up fail, whatever was accepted on the way."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session, Toy

ONE = "--pareto-runs=1"
NO_ANCHOR = "--pareto-anchor="


def freeze(toy: "Toy") -> None:
    """Freeze the baseline as the documentation says, on a host whose sessions hardly differ."""
    shutil.copytree(toy.path / "pareto_baselines", toy.path / "pareto_anchor")
    (toy.path / "pytest.ini").write_text(
        "[pytest]\npareto_anchor = pareto_anchor\npareto_session_spread =\n    host = 0.002\n"
    )


@pytest.fixture
def released(toy: "Toy") -> "Toy":
    """The toy after a release, and after accepted changes that made it 10 % slower."""
    freeze(toy)
    toy.change(large={"seconds": 0.044})
    accepted = toy.run("--pareto", "--pareto-update", ONE, NO_ANCHOR)
    assert "accept-worse" in accepted.text
    return toy


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def told(session: "Session") -> str:
    return " ".join(session.text.split())


def test_what_crept_since_the_release_fails(released: "Toy") -> None:
    session = released.run("--pareto", "--junitxml=j.xml")
    assert session.exit_code == 1
    case = session.case("large")
    assert case.crept == ("latency",)
    result = case.comparison.metric("latency")
    assert result is not None
    assert result.outcome is not Outcome.WORSE
    assert session.case("small").fails == ()
    session.result.assert_outcomes(passed=3, failed=1)
    session.result.stdout.fnmatch_lines(
        [
            "*latency drifted: * → * ms (+* %) since the anchor (limit 5 %)",
            "*fails: latency drifted beyond its limit since the anchor",
            "FAILED test_toy.py::test_generate[[]large] - latency drifted: *",
        ]
    )
    junit = (released.path / "j.xml").read_text()
    assert 'name="test_generate[large] (pareto)"' in junit
    assert 'message="latency drifted: ' in junit


def test_without_the_anchor_it_passes(released: "Toy") -> None:
    session = released.run("--pareto", NO_ANCHOR)
    assert session.exit_code == 0
    assert "the anchor" not in session.text


def test_what_stands_still_since_the_release_passes(toy: "Toy") -> None:
    freeze(toy)
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert "and the anchor pareto_anchor" in told(session)
    assert not any(case.crept for case in session.cases)


@pytest.mark.parametrize("mode", ["changed", "new", "runs", "all"])
def test_no_update_writes_or_silences_the_anchor(toy: "Toy", mode: str) -> None:
    freeze(toy)
    before = files(toy.path / "pareto_anchor")
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", f"--pareto-update={mode}", ONE)
    assert session.exit_code == 1
    assert files(toy.path / "pareto_anchor") == before
    if mode in ("changed", "all"):
        assert session.case("large").crept == ("latency",)
        assert "accept-worse" in session.text
        assert "replace the anchor by a copy of the baseline; no update writes it" in told(session)
        assert toy.run("--pareto").exit_code == 1
        assert toy.run("--pareto", NO_ANCHOR).exit_code == 0


def test_frozen_anew_it_passes(released: "Toy") -> None:
    shutil.rmtree(released.path / "pareto_anchor")
    freeze(released)
    assert released.run("--pareto").exit_code == 0


def test_a_tolerance_is_a_way_out_too(released: "Toy") -> None:
    source = (released.path / "test_toy.py").read_text()
    (released.path / "test_toy.py").write_text(source.replace("0.05}", "0.2}"))
    assert released.run("--pareto").exit_code == 0


def test_what_looks_worse_than_the_anchor_is_confirmed(released: "Toy") -> None:
    session = released.run("--pareto", "--pareto-confirm=1")
    assert session.exit_code == 1
    assert session.case("large").comparison.confirmed == {"latency"}
    assert "1 case measured again in 1 fresh run" in session.text
    assert "unconfirmed" not in session.text


def test_a_mood_that_only_the_anchor_sees_is_not(toy: "Toy") -> None:
    """This process is as slow as the baseline became; fresh ones are as fast as the anchor."""
    freeze(toy)
    toy.change(large={"seconds": 0.06})
    toy.run("--pareto", "--pareto-update", ONE, NO_ANCHOR)
    toy.change(large={"seconds": 0.04})
    path = toy.path / "conftest.py"
    moody = path.read_text().replace(
        "    def sleep(self, seconds):\n",
        "    def sleep(self, seconds):\n"
        "        import sys\n"
        "        if seconds == 0.04 and not any('-child' in a for a in sys.argv): seconds = 0.06\n",
    )
    assert moody != path.read_text()
    path.write_text(moody)
    assert toy.run("--pareto").case("large").crept == ("latency",)
    session = toy.run("--pareto", "--pareto-confirm=1")
    assert session.exit_code == 0
    assert session.case("large").comparison.confirmed == {"latency"}
    assert session.case("large").verdict is Verdict.IMPROVED


# Anchors that cannot be compared with


def test_an_anchor_that_does_not_exist_stops_before_anything_is_measured(toy: "Toy") -> None:
    session = toy.run("--pareto", "--pareto-anchor=nowhere")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "there is no anchor in " in told(session)
    assert "freeze one by a copy of the baseline" in told(session)
    assert "passed" not in session.text


def test_an_anchor_that_cannot_be_read_does_too(toy: "Toy") -> None:
    freeze(toy)
    (file,) = (toy.path / "pareto_anchor").rglob("test_toy.json")
    file.write_text("<<<<<<< HEAD\n")
    session = toy.run("--pareto")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "the anchor cannot be used (no update writes it" in told(session)
    assert "test_toy.json" in session.text


@pytest.mark.parametrize("folder", ["pareto_baselines", "pareto_baselines/anchor", "."])
def test_an_anchor_that_updates_would_write_is_refused(toy: "Toy", folder: str) -> None:
    session = toy.run("--pareto", f"--pareto-anchor={folder}")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "lie in one another" in told(session)


def test_other_hardware_is_told_and_fails_nothing(toy: "Toy") -> None:
    freeze(toy)
    (own,) = (f for f in (toy.path / "pareto_anchor").iterdir() if not f.name.startswith("_"))
    own.rename(own.with_name("nvidia-h200x1"))
    toy.change(large={"seconds": 0.041})
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert (
        "not compared with the anchor: accuracy, latency of 3 cases (recorded on nvidia-h200x1"
        in told(session).replace("latency, accuracy", "accuracy, latency")
    )


def test_a_case_newer_than_the_anchor_is_told_and_fails_nothing(toy: "Toy") -> None:
    freeze(toy)
    (file,) = (toy.path / "pareto_anchor").rglob("test_toy.json")
    text = json.loads(file.read_text())
    text["cases"] = {k: v for k, v in text["cases"].items() if "[small]" not in k}
    file.write_text(json.dumps(text))
    file.with_name("test_toy.profile.json").unlink()
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert "of 1 case (newer than it)" in told(session)
    assert session.case("small").verdict is not Verdict.NEW


def test_without_pareto_it_has_no_effect(run: "Run") -> None:
    session = run("--pareto-anchor=pareto_anchor")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--pareto-anchor has no effect without --pareto" in session.text
