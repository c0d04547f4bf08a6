"""``--pareto-update``: what each mode writes, and what it leaves alone."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.model.verdict import Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Toy

ONE = "--pareto-runs=1"


def metric(toy: "Toy", case: str, name: str) -> dict[str, Any] | None:
    (file,) = (toy.path / "pareto_baselines").rglob("test_toy.json")
    entry = json.loads(file.read_text())["cases"].get(f"test_generate[{case}]")
    found: dict[str, Any] | None = entry["metrics"][name] if entry else None
    return found


def test_pareto_alone_writes_nothing(fresh_toy: "Toy") -> None:
    fresh_toy.run("--pareto")
    assert not (fresh_toy.path / "pareto_baselines").exists()


def test_changed_accepts_what_changed_as_a_new_epoch_and_nothing_else(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--pareto-update", ONE)
    assert session.exit_code == 0
    assert "accept-worse" in session.text
    assert any(text.startswith("accepted: latency") for text in session.case("large").notices)
    latency = metric(toy, "large", "latency")
    assert latency is not None
    assert [s["epoch"] for s in latency["sessions"]] == [0, 1]
    small = metric(toy, "small", "latency")
    assert small is not None
    assert len(small["sessions"]) == 1
    assert toy.run("--pareto").exit_code == 0


def test_an_accepted_level_is_the_one_to_beat(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    toy.run("--pareto", "--pareto-update", ONE)
    toy.change(large={"seconds": 0.16})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("large").verdict in (Verdict.DOMINATED, Verdict.WORSE)


def test_new_leaves_changes_alone(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    before = toy.baseline_files
    session = toy.run("--pareto", "--pareto-update=new", ONE)
    assert session.exit_code == 1
    assert toy.baseline_files == before


def test_runs_appends_a_session_to_what_did_not_change(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    toy.run("--pareto", "--pareto-update=runs", ONE)
    small, large = metric(toy, "small", "latency"), metric(toy, "large", "latency")
    assert small is not None
    assert large is not None
    assert [len(s["runs"]) for s in small["sessions"]] == [5, 1]
    assert len(large["sessions"]) == 1


def test_all_prunes_after_a_complete_green_run(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(
        source.replace('["small", "medium", "large"]', '["small"]')
    )
    session = toy.run("--pareto", "--pareto-update", ONE)
    assert session.exit_code == 1  # `changed` forgets nothing
    assert metric(toy, "large", "latency") is not None
    session = toy.run("--pareto", "--pareto-update=all", ONE)
    assert session.exit_code == 0
    assert metric(toy, "large", "latency") is None
    assert metric(toy, "small", "latency") is not None


def test_all_says_why_it_drops_nothing_beside_another_failure(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    fewer = source.replace('["small", "medium", "large"]', '["small", "medium"]')
    failing = fewer.replace("    world =", "    assert variant != 'medium'\n    world =")
    (toy.path / "test_toy.py").write_text(failing)
    session = toy.run("--pareto", "--pareto-update=all", ONE)
    assert metric(toy, "large", "latency") is not None
    assert "what is gone stays in the baseline: a whole session" in session.text


def test_a_subset_never_deletes(toy: "Toy") -> None:
    toy.run("--pareto", "--pareto-update=all", ONE, "-k", "small")
    assert metric(toy, "large", "latency") is not None
    small = metric(toy, "small", "latency")
    assert small is not None
    assert len(small["sessions"]) == 2


def test_a_failing_test_keeps_its_entry(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(
        source.replace("    world =", "    assert variant != 'large'\n    world =")
    )
    before = metric(toy, "large", "latency")
    session = toy.run("--pareto", "--pareto-update=all", ONE)
    assert session.exit_code == 1
    assert metric(toy, "large", "latency") == before


def test_a_project_can_keep_its_baseline_elsewhere(toy: "Toy") -> None:
    (toy.path / "pareto_baselines").rename(toy.path / "kept")
    (toy.path / "pytest.ini").write_text("[pytest]\npareto_baseline = kept\n")
    assert toy.run("--pareto").case("small").verdict is not Verdict.NEW


@pytest.mark.parametrize("name", ["pareto_runs = 1", "pareto_plot = true"])
def test_ini_twins(toy: "Toy", name: str) -> None:
    (toy.path / "pytest.ini").write_text(f"[pytest]\n{name}\n")
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert ("in 1 fresh process " in session.text) == ("runs" in name)


def test_what_was_cut_short_writes_nothing(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    (toy.path / "test_zz.py").write_text(
        "import os, pathlib\n"
        "def test_die():\n"
        "    seen = pathlib.Path(__file__).with_name('seen')\n"
        "    if seen.exists(): os._exit(3)\n"
        "    seen.touch()\n"
    )
    before = toy.baseline_files
    session = toy.run("--pareto", "--pareto-update", "--pareto-runs=3")
    assert session.exit_code == 1
    assert toy.baseline_files == before
    assert "nothing was written to the baseline" in session.text
    assert session.case("large").fails  # what is not written is not accepted


def test_an_update_is_never_silent(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    assert "wrote 1 metric" in toy.run("--pareto", "-q", "--pareto-update=changed", ONE).text
    assert "wrote nothing" in toy.run("--pareto", "-q", "--pareto-update=new", ONE).text


def test_a_path_behind_update_is_told_where_to_go(toy: "Toy") -> None:
    session = toy.run("--pareto", "--pareto-update", "test_toy.py")
    assert session.exit_code == 4
    assert "put tests before --pareto-update" in " ".join(session.text.split())


def test_scores_do_not_creep_downhill(pytester: pytest.Pytester, run: "Run") -> None:
    source = (
        "def test_it(pareto):\n"
        "    pareto.record('s', [{score} + i / 100 for i in range(40)], ids=range(40),\n"
        "                  better='higher', tolerance=0.01)\n"
    )
    codes = []
    for step in range(4):
        pytester.makepyfile(test_it=source.format(score=0.5 - 0.008 * step))
        codes.append(
            run("--pareto", "--pareto-update=runs" if step else "--pareto-update", ONE).exit_code
        )
    assert codes == [0, 0, 1, 1]


def test_what_was_written_of_a_case_is_told_in_one_line(fresh_toy: "Toy") -> None:
    text = fresh_toy.run("--pareto", "--pareto-update", ONE).text
    told = " ".join(text.split())
    assert told.count("add: ") == 3
    assert "[large] accuracy, latency, python_calls (1 run)" in told


def test_a_first_recording_names_no_folder_that_does_not_exist_and_does_not_advise_to_record(
    fresh_toy: "Toy",
) -> None:
    fresh_toy.run("--pareto")
    assert not (fresh_toy.path / "pareto_baselines").exists()
    before = " ".join(fresh_toy.run("--pareto", "-v").text.split())
    assert "yet (looked in pareto_baselines)" in before
    assert "record it with --pareto-update" in before
    told = " ".join(fresh_toy.run("--pareto", "--pareto-update", ONE, "-v").text.split())
    assert "the first baseline for" in told
    assert "(written to pareto_baselines)" in told
    assert "record it" not in told
    assert "to record" not in told


def test_a_baseline_for_any_machine_alone_is_named_as_it_is(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    """Its folder for this machine does not exist."""
    pytester.makepyfile(
        test_any="""
        def test_score(pareto):
            scores = {str(n): n / 100 for n in range(100)}
            pareto.record("accuracy", scores, better="higher", tolerance=0.5, scope="anywhere")
        """
    )
    run("--pareto", "--pareto-update", ONE)
    names = {folder.name for folder in (pytester.path / "pareto_baselines").iterdir()}
    assert "any" in names
    assert not [name for name in names if name.startswith(("cpu", "nvidia"))]
    assert "against pareto_baselines/any (" in run("--pareto").text


def test_a_score_that_is_recorded_with_too_few_samples_is_warned_of_at_once(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_few="""
        def test_score(pareto):
            scores = {str(n): float(n % 4 > 0) for n in range(128)}
            pareto.record("accuracy", scores, better="higher", tolerance=0.02)
            pareto.record("loose", scores, better="higher", tolerance=0.2)
        """
    )
    told = " ".join(run("--pareto", "--pareto-update", ONE).text.split())
    message = "test_few.py::test_score accuracy: 128 samples resolve 0.14; its tolerance 0.02"
    assert f"{message} needs about 2,900" in told
    assert "loose: 128" not in told
    assert "its tolerance" not in run("--pareto", "--pareto-update", ONE).text
