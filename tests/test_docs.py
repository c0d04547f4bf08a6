"""What the documents say is run, and what they list is all there is."""

import importlib
import inspect
import re
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import pytest_pareto
import pytest_pareto.testing
from docs import fill_tables
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import BUILT_IN, LATENCY, MEANINGS
from pytest_pareto.model.verdict import Position, Verdict
from pytest_pareto.plugin import command_line
from pytest_pareto.plugin.command_line import REPORTS
from pytest_pareto.plugin.marker import KEYWORDS
from pytest_pareto.report.wording import outcome_word
from pytest_pareto.scoring import EvaluationRequest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
OPENMETRICS = (ROOT / "pytest_pareto" / "report" / "openmetrics.py").read_text(encoding="utf-8")
COMMITTED = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


@pytest.fixture(name="reference", scope="module")
def _reference() -> str:
    """Return the page as the site has it; the one in git may lack what is newer than a release."""
    return fill_tables.filled(COMMITTED)


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


DEEP = re.compile(r"pytest_pareto\.(?!__)(\w+)\.(\w+)")


def deep_imports(text: str) -> list[str]:
    """Return the modules that a page names below a room of the package, which may move."""
    package = ROOT / "pytest_pareto"
    found = [(m[0], package / m[1] / m[2]) for m in DEEP.finditer(text)]
    return [name for name, path in found if path.is_dir() or path.with_suffix(".py").exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_import_public_paths_only(page: Path) -> None:
    assert deep_imports(page.read_text(encoding="utf-8")) == []


def test_a_deep_import_in_a_page_is_found() -> None:
    module = next((ROOT / "pytest_pareto" / "model").glob("[!_]*.py")).stem
    text = f"from pytest_pareto.model.{module} import X, or pytest_pareto.meters.Meter"
    assert deep_imports(text) == [f"pytest_pareto.model.{module}"]


def test_the_public_names_of_meters_are_all_there() -> None:
    meters = importlib.import_module("pytest_pareto.meters")
    assert all(hasattr(meters, name) for name in meters.__all__)


def test_the_readmes_test_passes(pytester: pytest.Pytester) -> None:
    """Under `--pareto` and with the real clock; `test_examples.py` runs it, and all others."""
    (example,) = [block for block in python_blocks(README) if "def test_digits" in block]
    pytester.makepyfile(test_digits=example)
    result = pytester.runpytest_subprocess("--pareto")
    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_the_streams_of_the_how_to_pass(pytester: pytest.Pytester) -> None:
    examples = python_blocks((ROOT / "docs" / "streams.md").read_text(encoding="utf-8"))
    names = [re.findall(r"^# test_(\w+)\.py", example)[0] for example in examples]
    assert names == ["tokens", "client"]
    pytester.makepyfile(**{f"test_{n}": e for n, e in zip(names, examples, strict=True)})
    result = pytester.runpytest_subprocess("--pareto", "--pareto-confirm=0")
    result.assert_outcomes(passed=2)
    assert result.ret == 0


FILL = "Run `python docs/fill_tables.py` and commit docs/reference.md."


def stale_tables(page: str, version: str) -> list[str]:
    """Return what is wrong with the tables of a page in the repository, and the way out.

    Each row has to be one that the code makes, in the code's order. Rows may be missing while
    `version` is one of development, and none where it is a release.
    """
    found = []
    for _, name, text, _ in fill_tables.TABLE.findall(page):
        rows, made = text.splitlines(), fill_tables.TABLES[name]().splitlines()
        rest = iter(made)
        unknown = [row for row in rows if row not in made]
        if unknown:
            what = f"has a row that the code does not make: {unknown[0]}"
        elif rows[:2] != made[:2]:
            what = "has no head"
        elif not all(row in rest for row in rows):
            what = "has its rows in another order, or one of them twice"
        elif ".dev" not in version and rows != made:
            missing = next(row for row in made if row not in rows)
            what = f"lacks a row, and {version} is a release: {missing}"
        else:
            continue
        found.append(f"The table of {name} in docs/reference.md {what}\n{FILL}")
    return found


def test_the_committed_tables_have_no_row_that_the_code_does_not_make() -> None:
    assert MEANINGS.keys() == BUILT_IN.keys()
    names = sorted(name for _, name, _, _ in fill_tables.TABLE.findall(COMMITTED))
    assert names == sorted(fill_tables.TABLES)
    stale = stale_tables(COMMITTED, pytest_pareto.__version__)
    assert not stale, "\n".join(stale)


DEVELOPMENT, RELEASE = "0.2.0.dev0", "0.2.0"


@pytest.mark.parametrize("version", [DEVELOPMENT, RELEASE])
@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("measure, compare with the baseline, and judge", "measure", "does not make: | `--pareto`"),
        (r"^\| `kernels` \|", "| `kernel_count` |", "does not make: | `kernel_count`"),
        (r"^(\| `kernels` .*\n)", r"\1\n", "does not make: "),
        (r"^(\| `kernels` .*\n)", r"\1\1", "one of them twice"),
        (r"^(\| `kernels` .*\n)(\| .*\n)", r"\2\1", "another order"),
        (r"^\| command \| argument .*\n\| --- .*\n", "", "has no head"),
    ],
    ids=["edited", "renamed", "blank line", "twice", "order", "head"],
)
def test_a_table_that_was_edited_by_hand_is_stale(
    reference: str, version: str, old: str, new: str, what: str
) -> None:
    assert stale_tables(reference, version) == []
    edited, edits = re.subn(old, new, reference, flags=re.MULTILINE)
    assert edits == 1
    (stale,) = stale_tables(edited, version)
    assert what in stale
    assert FILL in stale


Patch = Callable[[pytest.MonkeyPatch], None]


def add_a_report(patch: pytest.MonkeyPatch) -> None:
    added = REPORTS["json"]._replace(help="write a table")
    patch.setattr(command_line, "REPORTS", {"dummy": added, **REPORTS})


def add_a_metric(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fill_tables, "BUILT_IN", {"dummy": replace(LATENCY, name="dummy"), **BUILT_IN})
    patch.setattr(fill_tables, "MEANINGS", {**MEANINGS, "dummy": "another clock"})


@pytest.mark.parametrize("add", [add_a_report, add_a_metric])
def test_what_is_new_may_be_missing_until_a_release(
    reference: str, add: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(monkeypatch)
    assert fill_tables.filled(reference) != reference
    assert stale_tables(reference, DEVELOPMENT) == []
    (stale,) = stale_tables(reference, RELEASE)
    assert "lacks a row, and 0.2.0 is a release" in stale
    assert FILL in stale
    assert stale_tables(fill_tables.filled(reference), RELEASE) == []


def rename_a_report(patch: pytest.MonkeyPatch) -> None:
    renamed = {name.replace("html", "page"): kind for name, kind in REPORTS.items()}
    patch.setattr(command_line, "REPORTS", renamed)


def remove_a_metric(patch: pytest.MonkeyPatch) -> None:
    rest = {name: metric for name, metric in BUILT_IN.items() if name != "kernels"}
    patch.setattr(fill_tables, "BUILT_IN", rest)


def change_a_help_text(patch: pytest.MonkeyPatch) -> None:
    changed = REPORTS["html"]._replace(help="write a page")
    patch.setattr(command_line, "REPORTS", {**REPORTS, "html": changed})


@pytest.mark.parametrize("version", [DEVELOPMENT, RELEASE])
@pytest.mark.parametrize("change", [rename_a_report, remove_a_metric, change_a_help_text])
def test_a_row_that_the_code_no_longer_makes_is_stale(
    reference: str, version: str, change: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    (stale,) = stale_tables(reference, version)
    assert "has a row that the code does not make" in stale
    assert FILL in stale
    assert stale_tables(fill_tables.filled(reference), version) == []


def test_the_reference_lists_every_option(reference: str, pytester: pytest.Pytester) -> None:
    help_text = pytester.runpytest_subprocess("--help").stdout.str()
    offered = set(re.findall(r"--pareto[a-z-]*", help_text))
    named = set(re.findall(r"`(--pareto[a-z-]*)", reference))
    assert offered == named
    inis = set(re.findall(r"^  (pareto_\w+)", help_text, flags=re.MULTILINE))
    assert inis
    assert inis == set(re.findall(r"`(pareto_[a-z_]+)`", reference)) - {"pareto_baselines"}


def test_no_page_names_an_option_or_a_key_that_there_is_not() -> None:
    offered = fill_tables.offered()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"(--pareto(?:-[a-z]+)*)", text)) <= set(offered.options), page
        keys = set(re.findall(r"`(pareto_[a-z_]+)\b(?!/)", text)) - {"pareto_baselines"}
        gauges = {key for key in keys if f'"{key.removesuffix("_seconds")}"' in OPENMETRICS}
        assert keys - gauges <= offered.inis.keys(), page


def test_the_reference_lists_the_marker(reference: str) -> None:
    marker = reference.partition("## The marker")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", marker, flags=re.MULTILINE)
    assert set(re.findall(r"(\w+)=", " ".join(rows))) == set(KEYWORDS)


def test_the_reference_lists_the_fixture(reference: str) -> None:
    rows = dict(re.findall(r"^\| .*?`(?:await )?pareto\.(\w+)\((.*?)\)`", reference, re.MULTILINE))
    for name, method in inspect.getmembers(pytest_pareto.Pareto, inspect.isfunction):
        if name.startswith("_"):
            continue
        known = {
            parameter.name
            for parameter in inspect.signature(method).parameters.values()
            if parameter.name != "self"
        }
        if "request" in known:  # its keyword arguments, in one dictionary
            known = (known - {"request"}) | EvaluationRequest.__annotations__.keys()
        assert set(re.findall(r"\b[a-z]\w+", re.sub(r"=\w+", "", rows[name]))) == known, name


def test_the_api_has_every_public_name() -> None:
    documented = set(re.findall(r"auto\w+:: pytest_pareto\.([\w.]+)", API))
    assert {name for name in pytest_pareto.__all__ if name != "__version__"} <= documented
    assert {f"testing.{name}" for name in pytest_pareto.testing.__all__} <= documented
    (members,) = re.findall(r"autoclass:: pytest_pareto\.Pareto\b.*\n   :members: (.*)\n", API)
    public = {name for name in dir(pytest_pareto.Pareto) if not name.startswith("_")}
    assert set(members.split(", ")) == public


def test_the_reference_lists_every_name(reference: str) -> None:
    for name in (*BUILT_IN, *Outcome, *Verdict):
        assert re.search(rf"\b{name}\b", reference), name
    assert {Position.LOST, Position.OVERTAKEN} <= set(re.findall(r"[A-Z_]{3,}", reference))


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
    assert blocks == len(recorded) + 2  # a part of one in the README too, one explained again
    assert recorder["TABLE"].search((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))


BARE = re.compile(r"\bpip install\b.*(?<![\w/.-])pytest-pareto(?![\w/-])")
"""A name that is nobody's on PyPI yet, so that anybody could take it."""


def test_nobody_is_told_to_install_a_name_that_anybody_could_register() -> None:
    assert BARE.search("- python -m pip install -r requirements.txt pytest-pareto")
    assert BARE.search("pip install 'pytest-pareto[async]'")
    assert not BARE.search("pip install numpy git+https://FORGE/OWNER/pytest-pareto@SHA")
    for page in (*PAGES, ROOT / "action.yml", *ROOT.glob("docs/workflows/*.yml")):
        assert not BARE.search(page.read_text(encoding="utf-8")), page


def test_the_workflows_of_pages_may_only_read_and_pin_what_they_use() -> None:
    found = 0
    for page in PAGES:
        for text in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            workflow = yaml.safe_load(text)
            if "jobs" not in workflow:
                continue
            found += 1
            assert workflow["permissions"] == {"contents": "read"}, page
            for job in workflow["jobs"].values():
                used = [step["uses"] for step in job["steps"] if "uses" in step]
                assert all(re.search(r"@[0-9a-f]{40}$", name) for name in used), page
    assert found


def test_the_glossary_has_every_word_of_a_verdict() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    words = [outcome_word(outcome, LATENCY).lower() for outcome in Outcome]
    words += [verdict.lower().replace("trade_off", "trade-off") for verdict in Verdict]
    words += [position.lower().replace("ambiguous", "undetermined") for position in Position]
    cells = {
        word.strip()
        for line in glossary.splitlines()
        if line.startswith("|")
        for word in line.split("|")[1].split(",")
    }
    assert {word.replace("_", " ") for word in words} <= cells


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("example_project/*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
