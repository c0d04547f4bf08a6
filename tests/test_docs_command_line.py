"""What the page of the command line shows is what the commands print, byte for byte."""

import re
import runpy
from pathlib import Path

import pytest

from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, LATENCY
from pytest_pareto.report.terminal import figures_text

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["show", "history"])
def test_it_is_printed_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    recorder = runpy.run_path(str(ROOT / "docs" / "record_outputs.py"))
    printed = recorder["run"](name)
    assert printed == (ROOT / "docs" / "outputs" / f"{name}.txt").read_text(encoding="utf-8")
    assert f"```\n{printed}```\n" in PAGE


def test_every_option_of_its_commands_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    from pytest_pareto import cli

    for command in ("show", "history"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        options = set(re.findall(r"^  (--?[a-z]+)", capsys.readouterr().out, re.MULTILINE))
        told = PAGE.partition(f"pytest-pareto {command} [")[2].partition("```")[0]
        missing = {option for option in options - {"-h"} if option not in told}
        assert not missing, command


def test_the_line_of_a_test_is_as_the_page_shows_it() -> None:
    (line,) = re.findall(r"^test_sd.*PASSED \[.*$", PAGE, re.MULTILINE)
    levels = ((LATENCY, 0.412), (ENERGY, 96.1), (DEVICE_TIME, 0.39))
    nodeid = line.partition(" ")[0]
    figures = figures_text({"": levels}, 80 - len(nodeid) - len(" PASSED [] [ 50%]"))
    assert line == f"{nodeid} PASSED [{figures}]".ljust(74) + "[ 50%]"
