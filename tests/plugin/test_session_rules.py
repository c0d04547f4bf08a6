"""Sessions whose rules are not those by which the baseline was recorded: it is told first."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto import cli

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

LOOSENED = "rules loosened since the baseline was recorded: "
TIGHTENED = "rules tightened since the baseline was recorded: "
CHANGED = "rules changed since the baseline was recorded: "
EDITED = "edited by hand (latency of test_generate[large])"
MARKER = 'tolerance={"latency": 0.05}'
RECORD = 'better="higher", tolerance=0.01'
Edit = Callable[[Path], None]


def in_test(old: str, new: str) -> Edit:
    """Return an edit of the toy's test file."""

    def edit(path: Path) -> None:
        file = path / "test_toy.py"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return edit


def in_ini(text: str) -> Edit:
    """Return an edit that writes the toy's ini file."""

    def edit(path: Path) -> None:
        (path / "pytest.ini").write_text(f"[pytest]\n{text}\n")

    return edit


def in_baseline(pattern: str, new: str, file: str = "*/test_toy.json") -> Edit:
    """Return an edit by hand of the baseline's first place that matches."""

    def edit(path: Path) -> None:
        for found in (path / "pareto_baselines").glob(file):
            text, count = re.subn(pattern, new, found.read_text(), count=1)
            if count:
                found.write_text(text)
                return
        pytest.fail(f"{pattern} is nowhere")

    return edit


def as_old_version(path: Path, folder: str = "pareto_baselines") -> None:
    """Take out of the baseline what a version before this one did not write."""
    for file in (path / folder).rglob("test_toy.json"):
        text = re.sub(r', "rule": \{.*?\}', "", file.read_text())
        file.write_text(re.sub(r'"digest": "\w+", ', "", text))
    for file in (path / folder).glob("_policy/*.json"):
        file.unlink()


EDITS = {
    "marker": (in_test(MARKER, 'tolerance={"latency": 0.5}'), LOOSENED, "latency 5 % → 50 % in 3"),
    "tighter": (in_test(MARKER, 'tolerance={"latency": 0.01}'), TIGHTENED, "latency 5 % → 1 % in"),
    "record": (in_test(RECORD, 'better="higher", tolerance=0.1'), LOOSENED, "accuracy 0.01 → 0.1"),
    "give_up": (in_test(MARKER, f'{MARKER}, give_up={{"latency": 9}}'), LOOSENED, "→ 900 % in 3"),
    "gate": (in_test(MARKER, f"{MARKER}, gate=False"), LOOSENED, "gate=True → gate=False in 3"),
    "gates": (in_test(RECORD, f"{RECORD}, gate=False"), LOOSENED, "gates → reported only in 3"),
    "budget": (
        in_test(MARKER, f'{MARKER}, budget={{"accuracy": ">= 0.1"}}'),
        TIGHTENED,
        "budget of accuracy none → >= 0.1 in 3 cases",
    ),
    "policy": (in_ini("pareto_tradeoff = pass"), LOOSENED, "pareto_tradeoff bounded → pass"),
    "alpha": (in_ini("pareto_alpha = 0.2"), TIGHTENED, "pareto_alpha 0.05 → 0.2"),
    "addopts": (in_ini("addopts = -k small"), LOOSENED, "2 cases deselected by addopts (-k small)"),
    "ignored": (in_ini("addopts = --deselect test_toy.py::test_generate[small]"), LOOSENED, "1 ca"),
    "level": (in_baseline(r'"runs": \[0\.0', '"runs": [0.9'), CHANGED, "edited by hand (latency"),
    "rule": (in_baseline(r'"tolerance": 0\.05', '"tolerance": 0.06'), CHANGED, "edited by hand ("),
    "removed": (in_baseline(r'"digest": "\w+", ', ""), CHANGED, "edited by hand ("),
    "policy file": (
        in_baseline(r'"alpha": 0\.05', '"alpha": 0.06', "_policy/*.json"),
        CHANGED,
        "baseline edited by hand (policy)",
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_changed_rule_is_told_before_all_else(toy: "Toy", what: str) -> None:
    edit, lead, text = EDITS[what]
    edit(toy.path)
    session = toy.run("--pareto", "--pareto-json=r.json", "--pareto-markdown=r.md")
    _, section = session.text.split("= pareto", maxsplit=1)
    head = section.partition("against pareto_baselines")[0]
    assert text in " ".join(head.split()).partition(lead)[2], session.text
    assert f"- {lead}".strip() in (toy.path / "r.md").read_text().partition("against")[0]
    rules = json.loads((toy.path / "r.json").read_text())["gate"]["rules"]
    loosens = {LOOSENED: True, TIGHTENED: False, CHANGED: None}[lead]
    assert loosens in [rule["loosens"] for rule in rules]
    assert session.exit_code == 0  # told, and not failed for


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("args", [(), ("-k", "small")])
def test_unchanged_rules_are_not_mentioned(toy: "Toy", args: tuple[str, ...], old: bool) -> None:
    """Neither is what a user deselects, nor a baseline that does not say what its rules were."""
    if old:
        as_old_version(toy.path)
        assert "rule" not in str(toy.baseline_files)
    session = toy.run("--pareto", *args)
    assert session.exit_code == 0
    assert "since the baseline was recorded" not in session.text
    assert ("incomplete: 3 deselected" in session.text) == bool(args)


def test_an_unstored_policy_is_compared_with_the_default(toy: "Toy") -> None:
    as_old_version(toy.path)
    in_ini("pareto_tradeoff = pass")(toy.path)
    session = toy.run("--pareto")
    assert f"{LOOSENED}pareto_tradeoff bounded (default) → pass" in session.text


def test_loosened_rules_come_first_and_verbosity_names_the_cases(toy: "Toy") -> None:
    in_test(MARKER, 'tolerance={"latency": 0.5}')(toy.path)
    in_ini("pareto_alpha = 0.2")(toy.path)
    quiet = toy.run("--pareto", "-q").text
    assert "pareto: pass · rules loosened · " in quiet
    text = toy.run("--pareto", "-v").text
    assert text.index(LOOSENED) < text.index(TIGHTENED)
    named = " ".join(text.partition("against pareto")[0].split())
    assert "test_toy.py::test_generate[large], test_toy.py::test_generate[medium], " in named


def test_the_page_and_show_tell_it_too(toy: "Toy", capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "pareto_baselines"]) == 0
    assert "by hand" not in capsys.readouterr().out
    in_baseline(r'"runs": \[0\.0', '"runs": [0.9')(toy.path)
    toy.run("--pareto", "--pareto-html=r.html")
    header = (toy.path / "r.html").read_text().partition("<main>")[0]
    assert f"<b>{CHANGED}baseline edited by hand (latency of " in header
    capsys.readouterr()
    assert cli.main(["show", "pareto_baselines"]) == 0
    assert EDITED in " ".join(capsys.readouterr().out.split())


def test_an_update_records_the_rules(toy: "Toy") -> None:
    """Also into a baseline of an older version."""
    as_old_version(toy.path)
    in_test(MARKER, f'{MARKER}, budget={{"accuracy": ">= 0.1"}}')(toy.path)
    in_ini("pareto_tradeoff = pass")(toy.path)
    done = toy.run("--pareto", "--pareto-update=runs", "--pareto-runs=1")
    assert done.exit_code == 0, done.text
    assert '"budget": ">= 0.1"' in str(toy.baseline_files)
    assert "since the baseline was recorded" not in toy.run("--pareto").text
    in_ini("")(toy.path)
    assert f"{TIGHTENED}pareto_tradeoff pass → bounded" in toy.run("--pareto").text


def test_an_update_of_another_case_hides_no_edit_by_hand(toy: "Toy") -> None:
    in_baseline(r'"tolerance": 0\.05', '"tolerance": 0.06')(toy.path)
    before = toy.run("--pareto").text
    assert EDITED in " ".join(before.split())
    done = toy.run("--pareto", "-k", "small", "--pareto-update=runs", "--pareto-runs=1")
    assert "append: test_toy.py::test_generate[small]" in done.text
    assert EDITED in " ".join(toy.run("--pareto").text.split())


def test_what_nobody_can_attribute_is_incomplete_as_before(toy: "Toy") -> None:
    in_ini("addopts = -k small")(toy.path)
    session = toy.run("--pareto", "-m", "not slow")
    assert "since the baseline was recorded" not in session.text
    assert "incomplete: " in session.text


def test_a_conftest_that_deselects_is_told(toy: "Toy") -> None:
    with (toy.path / "conftest.py").open("a") as file:
        file.write(
            "\ndef pytest_collection_modifyitems(config, items):\n"
            "    gone = [item for item in items if 'large' in item.nodeid]\n"
            "    items[:] = [item for item in items if item not in gone]\n"
            "    config.hook.pytest_deselected(items=gone)\n"
        )
    session = toy.run("--pareto")
    assert f"{LOOSENED}1 case deselected by a conftest or plugin" in session.text


@pytest.mark.parametrize(("tolerance", "failed"), [(0.5, True), (0.05, False), (0.01, False)])
def test_a_loosened_rule_fails_where_that_is_asked_for(
    toy: "Toy", tolerance: float, failed: bool
) -> None:
    """And a tightened one does not."""
    in_test(MARKER, f'tolerance={{"latency": {tolerance}}}')(toy.path)
    session = toy.run("--pareto", "--pareto-rules=fail")
    assert (session.exit_code == 1) is failed, session.text
    assert ("FAIL  3 rules loosened since the baseline" in session.text) is failed
    assert toy.run("--pareto").exit_code == 0


def test_an_update_that_records_the_rules_does_not_fail_for_them(toy: "Toy") -> None:
    """The failure advises just that; a deselected case is in no update."""
    in_test(MARKER, 'tolerance={"latency": 0.5}')(toy.path)
    asked = ("--pareto", "--pareto-rules=fail")
    session = toy.run(*asked, "--pareto-update=runs")
    assert session.exit_code == 0, session.text
    assert LOOSENED in session.text
    assert toy.run(*asked).exit_code == 0
    in_ini("addopts = -k small")(toy.path)
    session = toy.run(*asked, "--pareto-update=runs")
    assert session.exit_code == 1, session.text
    assert "loosened since the baseline" in session.text
