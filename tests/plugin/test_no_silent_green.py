"""What is missing, new, elsewhere or unmeasured has a name, a message and a policy."""

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Toy


@pytest.fixture
def ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")


def test_nothing_measured_fails_and_says_what_to_do(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile("def test_other(): pass")
    session = run("--pareto")
    assert session.exit_code == 1
    assert "nothing was measured" in session.text
    assert "`pareto` fixture" in session.text
    assert run("--pareto", "--pareto-missing=warn").exit_code == 0


def test_only_skipped_tests_measure_nothing(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.skip\ndef test_it(pareto): pass")
    session = run("--pareto")
    assert session.exit_code == 1
    assert "1 tests were skipped" in session.text or "1 test was skipped" in session.text


def test_a_test_that_measures_nothing_fails(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile("def test_it(pareto): pass")
    session = run("--pareto")
    assert session.exit_code == 1
    session.result.assert_outcomes(failed=1)
    assert "measured and recorded nothing" in session.text
    assert run().exit_code == 0


def test_a_marker_without_the_fixture_fails(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.pareto(rounds=3)\ndef test_it(): pass")
    session = run("--pareto")
    assert session.exit_code == 1
    assert "does not ask for the pareto fixture" in session.text


def test_no_baseline_passes_locally_and_says_how_to_record(fresh_toy: "Toy") -> None:
    session = fresh_toy.run("--pareto")
    assert session.exit_code == 0
    assert session.case("small").verdict is Verdict.NEW
    assert "--pareto-update" in session.text
    assert "no baseline" in session.text


def test_no_baseline_fails_in_ci(fresh_toy: "Toy", ci: None) -> None:
    session = fresh_toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("small").verdict is Verdict.NEW
    assert "--pareto-update" in session.text
    assert fresh_toy.run("--pareto", "--pareto-missing=warn").exit_code == 0


def test_a_renamed_test_is_missing(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(source.replace("test_generate", "test_renamed"))
    session = toy.run("--pareto")
    assert session.exit_code == 1
    verdicts = {c.case_id.partition("::")[2]: c.verdict for c in session.cases}
    assert verdicts["test_generate[small]"] is Verdict.MISSING
    assert verdicts["test_renamed[small]"] is Verdict.NEW
    assert "--pareto-update=all" in session.text
    assert "renamed or removed" in session.text
    assert toy.run("--pareto", "--pareto-missing=warn").exit_code == 0


def test_a_removed_module_is_missing(toy: "Toy") -> None:
    (toy.path / "test_toy.py").rename(toy.path / "test_moved.py")
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert "test_toy.py::test_generate[small]" in session.text
    # Asked for another module only, nothing can be said of this one.
    session = toy.run("--pareto", "test_moved.py")
    assert session.exit_code == 0


SKIPS = {
    "skip": "    if variant == 'large': pytest.skip('no GPU')\n    world =",
    "xfail": "    if variant == 'large': pytest.xfail('known')\n    world =",
}


@pytest.mark.parametrize("how", SKIPS)
def test_skipped_cases_are_told_and_not_missing(toy: "Toy", how: str) -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(source.replace("    world =", SKIPS[how]))
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert session.case("large").verdict is Verdict.SKIPPED
    assert "1 skipped" in session.text
    assert "[large]" in session.text
    assert "1 skipped" in toy.run("--pareto", "-q").text
    assert toy.run("--pareto", "--pareto-missing=fail").exit_code == 1


def test_a_module_that_skips_itself_is_told(toy: "Toy") -> None:
    (toy.path / "test_toy.py").write_text("import pytest\npytest.importorskip('no_such_thing')\n")
    (toy.path / "test_other.py").write_text(
        "def test_it(pareto): pareto.record('x', 1, better='lower')\n"
    )
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert session.case("small").verdict is Verdict.SKIPPED


def test_a_case_that_is_partly_compared_is_not_called_unchanged(toy: "Toy") -> None:
    (file,) = (toy.path / "pareto_baselines").rglob("test_toy.json")
    content = json.loads(file.read_text())
    for case in content["cases"].values():
        del case["metrics"]["latency"]
    file.write_text(json.dumps(content))
    session = toy.run("--pareto", "-q")
    assert session.exit_code == 0
    assert "3 cases with latency NOT checked" in session.text
    assert "unchanged or better" not in session.text


def test_a_level_that_no_measurement_gives_breaks_its_case_only(toy: "Toy") -> None:
    (file,) = (toy.path / "pareto_baselines").rglob("test_toy.json")
    content = json.loads(file.read_text())
    runs = content["cases"]["test_generate[small]"]["metrics"]["latency"]["sessions"][0]["runs"]
    runs[0] = 0.0
    file.write_text(json.dumps(content))
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("small").verdict is Verdict.BROKEN
    assert session.case("large").verdict is not Verdict.BROKEN
    assert "in the baseline" in session.text


def test_leaving_pytest_early_is_judged(toy: "Toy") -> None:
    (toy.path / "test_zz.py").write_text(
        "import pytest\ndef test_stop(): pytest.exit('enough', returncode=0)\n"
    )
    toy.change(large={"accuracy": 0.5})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("large").fails
    toy.change(large={"accuracy": 0.95})
    session = toy.run("--pareto")
    assert session.exit_code == 2
    told = " ".join(session.text.split())
    assert "incomplete: pytest.exit: enough, with exit code 0, which only a whole session" in told


def test_tests_that_are_only_collected_in_ci_are_no_success(
    toy: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as by a forgotten ``--collect-only`` in addopts."""
    assert toy.run("--pareto", "--collect-only").exit_code == 0
    monkeypatch.setenv("CI", "true")
    session = toy.run("--pareto", "--collect-only")
    assert session.exit_code == 1
    assert "nothing was measured, since tests were only collected" in session.text
    assert toy.run("--collect-only").exit_code == 0  # without --pareto it is pytest's own


def test_a_budget_on_nothing_is_refused(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
import pytest
@pytest.mark.pareto(budget={"latency": "<= 1 s"})
def test_it(pareto): pareto.record("x", 1.0, better="higher")
"""
    )
    session = run("--pareto")
    assert session.exit_code == 1
    assert "budget=...) names 'latency'" in " ".join(session.text.split())


def test_a_budget_needs_no_baseline_to_break(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
import pytest, time
@pytest.mark.pareto(budget={"latency": "<= 1 us", "x": ">= 0.9"}, rounds=2)
def test_it(pareto):
    pareto.measure(time.sleep, 0.002)
    pareto.record("x", 0.5, better="higher")
"""
    )
    session = run("--pareto")
    assert session.exit_code == 1
    text = " ".join(session.text.split())
    assert re.search(r"budget broken: latency [\d.]+ ms, limit <= 0\.0010* ms", text)
    assert "budget broken: x 0.5000, limit >= 0.9000" in text


def test_a_metric_that_disappeared_is_missing(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    lines = [line for line in source.splitlines() if "pareto.record" not in line]
    (toy.path / "test_toy.py").write_text("\n".join(lines))
    session = toy.run("--pareto")
    assert session.exit_code == 1
    result = session.case("small").comparison.metric("accuracy")
    assert result is not None
    assert result.outcome is Outcome.MISSING
    assert "no longer measures it" in session.text
    assert toy.run("--pareto", "--pareto-missing=warn").exit_code == 0


def test_a_new_metric_fails_in_ci_only(toy: "Toy", monkeypatch: pytest.MonkeyPatch) -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(
        source + "\n\ndef test_more(pareto):\n    pareto.record('x', 1.0, better='higher')\n"
    )
    assert toy.run("--pareto").exit_code == 0
    monkeypatch.setenv("CI", "true")
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("test_toy.py::test_more").verdict is Verdict.NEW


def move_baseline(path: Path) -> None:
    root = path / "pareto_baselines"
    (here,) = [p for p in root.iterdir() if not p.name.startswith("_") and p.name != "any"]
    shutil.move(here, root / "nvidia-h200x1")


def test_other_hardware_is_not_comparable(toy: "Toy", monkeypatch: pytest.MonkeyPatch) -> None:
    move_baseline(toy.path)
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert session.case("small").verdict is Verdict.NOT_COMPARABLE
    assert "nvidia-h200x1" in session.text
    monkeypatch.setenv("CI", "true")
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert "nvidia-h200x1" in session.text
    assert toy.run("--pareto", "--pareto-missing=warn").exit_code == 0


def test_another_number_of_threads_is_not_comparable_for_latency_only(toy: "Toy") -> None:
    for file in (toy.path / "pareto_baselines" / "_env").glob("*.json"):
        text = file.read_text()
        # The key of an environment is the hash of its content, so the file moves with it.
        changed = text.replace('"threads": ', '"threads": 9')
        assert changed != text
        file.write_text(changed)
    session = toy.run("--pareto")
    if session.exit_code == 4:  # a content hash that does not match is refused
        assert "_env" in session.text
        return
    assert session.exit_code == 0
    metrics = {m.metric.name: m.outcome for m in session.case("small").comparison.metrics}
    assert metrics["latency"] is Outcome.NOT_COMPARABLE
    assert metrics["accuracy"] is Outcome.UNCHANGED
    assert "threads" in session.text


def test_a_changed_test_is_named_and_still_judged(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(source.replace("world = ", "extra = 1; world = "))
    toy.change(large={"accuracy": 0.7})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert "the test itself changed" in session.text


def test_a_comment_is_no_change_of_the_test(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(source.replace("    world =", "    # why\n    world ="))
    session = toy.run("--pareto", "-v")
    assert "the test itself changed" not in session.text


def test_gate_false_is_told_and_passes(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(source.replace("warmup=1", "warmup=1, gate=False"))
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert any("not gated" in text for text in session.case("large").notices)
