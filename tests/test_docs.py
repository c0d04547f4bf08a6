"""What the documents say is run, and what they list is all there is."""

import importlib.util
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import BUILT_IN
from pytest_pareto.model.verdict import Position, Verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_there_are_examples() -> None:
    assert len(python_blocks(README)) == 2


@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_the_readmes_test_passes(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    (example,) = [block for block in python_blocks(README) if "def test_" in block]
    pytester.makepyfile(test_digits=example)
    result = pytester.runpytest_subprocess(*args)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_the_readmes_script_runs() -> None:
    (example,) = [block for block in python_blocks(README) if "def test_" not in block]
    exec(compile(example, "README.md", "exec"), {})


@pytest.mark.parametrize("args", [(), ("--pareto", "--pareto-confirm=0")])
def test_the_streams_of_the_how_to_pass(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    examples = python_blocks((ROOT / "docs" / "streams.md").read_text(encoding="utf-8"))
    names = [re.findall(r"^# test_(\w+)\.py", example)[0] for example in examples]
    assert names == ["tokens", "client"]
    pytester.makepyfile(**{f"test_{n}": e for n, e in zip(names, examples, strict=True)})
    result = pytester.runpytest_subprocess(*args)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_the_reference_lists_every_option(pytester: pytest.Pytester) -> None:
    help_text = pytester.runpytest_subprocess("--help").stdout.str()
    offered = set(re.findall(r"--pareto[a-z-]*", help_text))
    named = set(re.findall(r"`(--pareto[a-z-]*)", REFERENCE))
    assert offered == named
    inis = set(re.findall(r"^  (pareto_\w+)", help_text, flags=re.MULTILINE))
    assert inis
    assert inis == set(re.findall(r"`(pareto_[a-z_]+)`", REFERENCE)) - {"pareto_baselines"}


def test_the_reference_lists_every_name() -> None:
    for name in (*BUILT_IN, *Outcome, *Verdict):
        assert re.search(rf"\b{name}\b", REFERENCE), name
    assert {Position.LOST, Position.OVERTAKEN} <= set(re.findall(r"[A-Z_]{3,}", REFERENCE))


def test_the_documents_show_what_the_example_printed() -> None:
    """By `make outputs`; whoever edits a block by hand finds it here."""
    recorder = runpy.run_path(str(ROOT / "docs" / "record_outputs.py"))
    blocks = 0
    for document in recorder["DOCUMENTS"]:
        text = document.read_text(encoding="utf-8")
        assert recorder["filled"](text) == text, document
        blocks += len(recorder["BLOCK"].findall(text))
    recorded = list((ROOT / "docs" / "outputs").glob("*.txt"))
    assert {path.stem for path in recorded} >= set(recorder["EXPECTED"])
    assert blocks == len(recorded) + 2  # two of them in the README too
    assert recorder["TABLE"].search((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("example_project/*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # one line is what it shows
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_examples_of_json_results_hold(pytester: pytest.Pytester) -> None:
    with_pandas, without = python_blocks((ROOT / "docs" / "json_results.md").read_text("utf-8"))
    (example,) = [block for block in python_blocks(README) if "def test_" in block]
    pytester.makepyfile(test_digits=example)
    assert pytester.runpytest_subprocess("--pareto", "--pareto-json=results.json").ret == 0
    names: dict[str, Any] = {}
    exec(compile(without, "json_results.md", "exec"), names)
    assert names["rows"]
    assert names["worse"] == []
    if importlib.util.find_spec("pandas") is not None:
        exec(compile(with_pandas, "json_results.md", "exec"), names)
        assert len(names["table"]) == len(names["rows"])


def test_the_example_of_scores_holds() -> None:
    (example,) = python_blocks((ROOT / "docs" / "scores.md").read_text(encoding="utf-8"))
    exec(compile(example, "scores.md", "exec"), {})
