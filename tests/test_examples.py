"""Every example in the documents is run, in the order in which a reader meets it, or says why not.

Latency is scripted, one run records a baseline and nothing is confirmed: what the examples say is
tried here, and how long things take is not.
"""

import configparser
import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchmetrics.classification
import torchmetrics.image

from docs.page import Block, apply_diff, blocks
from pytest_pareto.cli import main
from pytest_pareto.plugin import command_line

KEPT_LOADED = (np, torch, torchmetrics)
"""pytester forgets what an in-process session imported, and these cannot be imported twice."""

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
SHOWN = {"text", "yaml", "toml", "json", "html", "{eval-rst}"}
"""What is read and not run."""
SHELL = ("git", "cp", "rm", "mkdir")
EXIT_CODE = re.compile(r"exit code (\d)")

SCRIPTED = """
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.testing import ScriptedMeter

def pytest_pareto_meters(config):
    others = [metric for metric in SteadyMeter.metrics if metric != LATENCY]
    return [
        ScriptedMeter(LATENCY, [(0.100, 0.101, 0.099)]),
        *(ScriptedMeter(metric, absent="scripted") for metric in others),
    ]
"""
"""In place of all that is read from the long window of calls, so that there is none."""


class Reader:
    """Somebody who does what a page says, in an empty folder."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.names: dict[str, Any] = {"__name__": "example"}
        self.untested = False

    def follow(self, block: Block) -> None:
        if block.not_run is not None or block.output is not None:
            return
        if block.language == "ini":
            check_ini(block)
        if block.file is not None:
            self.write(block.file, block.text)
        elif block.language == "python":
            self.python(block)
        elif block.language == "diff":
            apply_diff(block, self.pytester.path)
        elif block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                self.shell(block, line)
        elif block.language not in {*SHOWN, "ini"}:
            pytest.fail(
                f"{block.where}: a block in {block.language or 'no language'} is not known; name "
                "one behind the fence, or put <!-- not run: reason --> above it"
            )

    def write(self, name: str, text: str) -> None:
        path = self.pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.untested |= path.name.startswith("test_")

    def python(self, block: Block) -> None:
        if "def test_" not in block.text:
            exec(compile(block.text, block.where, "exec"), self.names)
            return
        # A page's later tests use what its earlier ones defined.
        path = self.pytester.path / f"test_{Path(block.page).stem.lower()}.py"
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        self.write(path.name, before + block.text)

    def shell(self, block: Block, line: str) -> None:
        command, _, comment = line.partition(" # ")
        words = shlex.split(command, comments=True)
        if not words:
            return
        stated = EXIT_CODE.search(comment)
        expected = int(stated[1]) if stated else 0
        if words[0] == "pytest":
            code, said = self.pytest(*words[1:])
        elif words[0] == "pytest-pareto":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = main(words[1:])
            said = out.getvalue()
        elif words[0] in SHELL:
            done = subprocess.run(["bash", "-c", command], check=False, capture_output=True)
            code, said = done.returncode, done.stderr.decode()
        else:
            pytest.fail(f"{block.where}: {words[0]} is not run; put <!-- not run: reason --> above")
        assert code == expected, f"{block.where}: {line}: exit code {code}\n{said}"

    def pytest(self, *args: str) -> tuple[int, str]:
        self.untested = False
        quick: list[str] = []
        if "--pareto" in args:
            quick = ["-o", "pareto_confirm=0"]
            recording = any(arg.startswith("--pareto-update") for arg in args)
            quick += ["-o", "pareto_runs=1"] if recording else []
        quiet = [f"-pno:{name}" for name in ("cov", "hypothesispytest", "cacheprovider", "xdist")]
        result = self.pytester.runpytest_inprocess(*quiet, *quick, *args)
        return int(result.ret), result.stdout.str() + result.stderr.str()


def check_ini(block: Block) -> None:
    """A key that pytest-pareto does not know would be ignored, silently."""

    class Keys(list[str]):
        def addini(self, name: str, *_: object, **__: object) -> None:
            self.append(name)

    known = Keys()
    command_line.add_ini(known)  # type: ignore[arg-type]  # all that is asked of a parser here
    parser = configparser.ConfigParser()
    parser.read_string(block.text)
    for key in parser["pytest"]:
        assert not key.startswith("pareto") or key in known, f"{block.where}: no such key: {key}"


@pytest.fixture
def reader(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Reader:
    scripted = pytester.mkdir("scripted")
    (scripted / "scripted_latency.py").write_text(SCRIPTED)
    monkeypatch.syspath_prepend(scripted)
    paths = [str(scripted), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("PYTEST_PLUGINS", "scripted_latency")
    project = pytester.mkdir("project")
    monkeypatch.chdir(project)
    monkeypatch.setattr(pytester, "_path", project)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "none")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "none@example.org")
    return Reader(pytester)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_work(reader: Reader, page: Path) -> None:
    for block in blocks(page):
        reader.follow(block)
    if reader.untested:
        code, said = reader.pytest()
        assert code == 0, said


def test_the_examples_are_found() -> None:
    """The regular expression that finds them is held against the fences that are there."""
    for page in PAGES:
        fences = re.findall(r"^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert 2 * len(blocks(page)) == len(fences), page
    assert sum(len(blocks(page)) for page in PAGES) > 60


INDENTED = re.compile(r"^(?![ \-*]|\d+\.)[^\n]*\n\n {4,}\S[^\n]*", flags=re.MULTILINE)
"""Code by indentation alone, behind a paragraph: nobody would know what it is in."""


def test_no_code_goes_without_a_fence() -> None:
    assert INDENTED.search("Run this:\n\n    make everything\n")
    assert not INDENTED.search("- an entry\n\n    and more of it\n")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in blocks(page):
            text = text.replace(block.text, "")
        assert not INDENTED.search(text), page


WRONG = {
    "no language": "```\npytest\n```\n",
    "unknown language": "```ruby\nputs 1\n```\n",
    "unknown command": "```sh\nmake test\n```\n",
    "no reason": "<!-- not run: -->\n```sh\nmake test\n```\n",
    "raises": "```python\nassert 1 == 2\n```\n",
    "fails": "```python\ndef test_it():\n    assert 1 == 2\n```\n",
    "exit code": "```sh\npytest --no-such-option\n```\n",
    "other exit code": "```python\ndef test_it(): ...\n```\n\n```sh\npytest  # exit code 1\n```\n",
    "git": "```sh\ngit no-such-command\n```\n",
    "cli": "```sh\npytest-pareto doctor --metrics nowhere\n```\n",
    "ini": "```ini\n[pytest]\npareto_toleranc = 1\n```\n",
    "diff": "```diff\n-a\n+b\n```\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_does_not_work_is_found(reader: Reader, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        test_the_examples_of_a_page_work(reader, page)


RIGHT = {
    "reason": "<!-- not run: it takes minutes -->\n```sh\nmake test\n```\n",
    "output": "<!-- output: what_it_said -->\n```\nnothing\n```\n",
    "test": "```python\ndef test_it():\n    pass\n```\n",
    "exit code": "```sh\npytest --no-such-option  # exit code 4\n```\n",
    "change": "```python\n# test_a.py\ndef test_it():\n    assert 1 == 2\n```\n\n"
    "```diff\n-    assert 1 == 2\n+    assert 1 == 1\n```\n",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_works_passes(reader: Reader, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    test_the_examples_of_a_page_work(reader, page)
