"""Bad input: one clear message that names the test or file and the way out; nothing is lost."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session, Toy

HEAD = "import math, pytest\n"


def run_test(pytester: pytest.Pytester, run: "Run", source: str, *args: str) -> "Session":
    pytester.makepyfile(test_bad=HEAD + source)
    return run(*(args or ("--pareto",)))


def assert_says(session: "Session", *words: str, exit_code: int = 1) -> None:
    assert session.exit_code == exit_code, session.text
    text = " ".join(session.text.split())
    for word in words:
        assert word in text, session.text
    assert "INTERNALERROR" not in session.text


TESTS = {
    "unknown marker keyword": (
        "@pytest.mark.pareto(tolerence={})\ndef test_it(pareto): pareto(len, [])",
        ["no keyword 'tolerence'", "did you mean 'tolerance'?", "test_it"],
    ),
    "positional marker argument": (
        "@pytest.mark.pareto('digits')\ndef test_it(pareto): pareto(len, [])",
        ["takes keywords only", "front", "test_it"],
    ),
    "unknown metric in tolerance": (
        "@pytest.mark.pareto(tolerance={'latncy': 0.1})\ndef test_it(pareto): pareto(len, [])",
        ["names 'latncy'", "did you mean 'latency'?", "test_it"],
    ),
    "negative tolerance": (
        "@pytest.mark.pareto(tolerance={'latency': -1})\ndef test_it(pareto): pareto(len, [])",
        ["tolerance", "'latency'", "number >= 0", "test_it"],
    ),
    "tolerance that is no mapping": (
        "@pytest.mark.pareto(tolerance=0.1)\ndef test_it(pareto): pareto(len, [])",
        ["takes a mapping from metric names", "test_it"],
    ),
    "budget of another form": (
        "@pytest.mark.pareto(budget={'latency': 0.5})\ndef test_it(pareto): pareto(len, [])",
        ["budget of 'latency' is 0.5", "'<= 250 ms'", "test_it"],
    ),
    "rounds that are no count": (
        "@pytest.mark.pareto(rounds=0)\ndef test_it(pareto): pareto(len, [])",
        ["rounds takes a whole number from 1 on, not 0", "test_it"],
    ),
    "NaN": (
        "def test_it(pareto): pareto.record('psnr', math.nan, better='higher')",
        ["'psnr' is nan", "finite", "test_it"],
    ),
    "infinite score of one sample": (
        "def test_it(pareto):\n"
        "    pareto.record('psnr', [1.0, math.inf], ids=['a', 'b'], better='higher')",
        ["'psnr' is inf at sample 'b'", "test_it"],
    ),
    "ids that repeat": (
        "def test_it(pareto): pareto.record('psnr', [1.0, 2.0], ids=['a', 'a'], better='higher')",
        ["the id 'a' stands for more than one sample", "test_it"],
    ),
    "more ids than scores": (
        "def test_it(pareto): pareto.record('psnr', [1.0], ids=['a', 'b'], better='higher')",
        ["1 scores for 2 ids", "test_it"],
    ),
    "no ids": (
        "def test_it(pareto): pareto.record('psnr', [1.0, 2.0], better='higher')",
        ["2 scores but no ids", "ids=", "test_it"],
    ),
    "missing direction": (
        "def test_it(pareto): pareto.record('psnr', 1.0)",
        ["direction of 'psnr' is missing", "better='higher' or better='lower'", "test_it"],
    ),
    "direction that is none": (
        "def test_it(pareto): pareto.record('psnr', 1.0, better='up')",
        ["direction of 'psnr' is 'up'", "test_it"],
    ),
    "scope that is none": (
        "def test_it(pareto): pareto.record('psnr', 1.0, better='higher', scope='here')",
        ["scope of 'psnr' is 'here'", "anywhere, gpu, host", "test_it"],
    ),
    "score that is no number": (
        "def test_it(pareto): pareto.record('psnr', 'good', better='higher')",
        ["'psnr' is 'good'", "a number", "test_it"],
    ),
    "callable that raises": (
        "def broken(): raise RuntimeError('out of paper')\n"
        "def test_it(pareto): pareto.measure(broken)",
        ["RuntimeError: out of paper", "test_it"],
    ),
    "callable that raises later": (
        "calls = []\n"
        "def broken():\n    calls.append(1)\n    if len(calls) > 3: raise RuntimeError('jam')\n"
        "def test_it(pareto): pareto.measure(broken)",
        ["RuntimeError: jam", "call 4", "test_it"],
    ),
    "something that cannot be called": (
        "def test_it(pareto): pareto.measure(3)",
        ["takes a function to call, not 3", "test_it"],
    ),
    "a generator": (
        "def tokens(): yield 1\ndef test_it(pareto): pareto.measure(tokens)",
        ["generator", "pareto.stream", "test_it"],
    ),
    "a coroutine": (
        "async def answer(): return 1\ndef test_it(pareto): pareto.measure(answer)",
        ["coroutine", "pareto.ameasure", "test_it"],
    ),
    "two measurements without names": (
        "def test_it(pareto):\n    pareto.measure(len, [])\n    pareto.measure(len, [])",
        ["was measured already", "pareto.configure(name=", "test_it"],
    ),
    "a metric recorded twice": (
        "def test_it(pareto):\n"
        "    pareto.record('x', 1, better='lower')\n    pareto.record('x', 1, better='lower')",
        ["'x' was recorded already", "test_it"],
    ),
    "a metric to measure that nothing measures": (
        "def test_it(pareto): pareto.configure(metrics=['latancy']).measure(len, [])",
        ["'latancy'", "did you mean 'latency'?", "test_it"],
    ),
    "setup of another form": (
        "def test_it(pareto): pareto.configure(setup=lambda: 3).measure(len)",
        ["setup returned a int", "test_it"],
    ),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_wrong_test_is_told(name: str, pytester: pytest.Pytester, run: "Run") -> None:
    source, words = TESTS[name]
    assert_says(run_test(pytester, run, source), *words)


def record_paired(
    pytester: pytest.Pytester, run: "Run", ids: str, scores: str, *args: str
) -> "Session":
    source = (
        f"def test_it(pareto):\n"
        f"    pareto.record('score', {scores}, ids={ids}, better='higher', tolerance=0.1)"
    )
    return run_test(pytester, run, source, "--pareto", *args)


@pytest.fixture
def paired_baseline(pytester: pytest.Pytester, run: "Run") -> Path:
    session = record_paired(
        pytester,
        run,
        "range(20)",
        "[i / 20 for i in range(20)]",
        "--pareto-update",
        "--pareto-runs=1",
    )
    assert session.exit_code == 0
    return pytester.path / "pareto_baselines"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_other_samples_than_the_baselines(
    pytester: pytest.Pytester, run: "Run", paired_baseline: Path
) -> None:
    before = contents(paired_baseline)
    session = record_paired(pytester, run, "range(1, 21)", "[i / 20 for i in range(20)]")
    assert_says(
        session, "test_bad.py::test_it", "samples are not those of the baseline",
        "'0'", "'20'", "--pareto-update=all",
    )  # fmt: skip
    assert contents(paired_baseline) == before
    session = record_paired(
        pytester, run, "range(1, 21)", "[i / 20 for i in range(20)]",
        "--pareto-update=all", "--pareto-runs=1",
    )  # fmt: skip
    assert_says(session, exit_code=0)
    assert_says(
        record_paired(pytester, run, "range(1, 21)", "[i / 20 for i in range(20)]"), exit_code=0
    )


def test_a_scalar_where_a_vector_was(
    pytester: pytest.Pytester, run: "Run", paired_baseline: Path
) -> None:
    session = run_test(
        pytester, run, "def test_it(pareto): pareto.record('score', 0.5, better='higher')"
    )
    assert_says(
        session, "test_bad.py::test_it", "its kind was 'paired' in the baseline and is 'run' now",
        "--pareto-update=all",
    )  # fmt: skip


def test_a_direction_that_turned(
    pytester: pytest.Pytester, run: "Run", paired_baseline: Path
) -> None:
    session = run_test(
        pytester, run,
        "def test_it(pareto): pareto.record('score', [i / 20 for i in range(20)], ids=range(20), "
        "better='lower')",
    )  # fmt: skip
    assert_says(session, "its direction was 'higher' in the baseline and is 'lower' now")


@pytest.mark.parametrize("mode", ["changed", "all"])
def test_update_is_refused_in_ci(toy: "Toy", monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("CI", "true")
    before = toy.baseline_files
    session = toy.run("--pareto", f"--pareto-update={mode}")
    assert_says(session, "--pareto-update is refused in CI", exit_code=4)
    assert toy.baseline_files == before


def one_baseline_file(toy: "Toy") -> Path:
    (file,) = (toy.path / "pareto_baselines").rglob("test_toy.json")
    return file


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"schema": 1', '"schema": 99', ["newer pytest-pareto"]),
        ('"better": "lower"', '"better": "sideways"', ["sideways"]),
        ('"cases": {', '"cases": {{', ["test_toy.json"]),
        ('"unit": "s"', '"unit": "s", "extra": 1', ["extra"]),
        ('"cases": {', '\n<<<<<<< HEAD\n"cases": {', ["merge conflict"]),
    ],
)
def test_a_baseline_that_cannot_be_used(toy: "Toy", old: str, new: str, words: list[str]) -> None:
    file = one_baseline_file(toy)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    before = toy.baseline_files
    for args in (("--pareto",), ("--pareto", "--pareto-update", "--pareto-runs=1")):
        session = toy.run(*args)
        assert_says(session, "test_toy.json", *words, exit_code=4)
        assert "passed" not in session.text  # told before anything ran
    assert toy.baseline_files == before


def test_a_baseline_folder_that_cannot_be_written(toy: "Toy") -> None:
    (toy.path / "file").write_text("not a folder")
    session = toy.run("--pareto", "--pareto-update", "--pareto-baseline=file/below")
    assert_says(session, "file", exit_code=4)
    assert (toy.path / "file").read_text() == "not a folder"


def test_a_baseline_folder_that_cannot_be_written_any_more(
    toy: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.change(large={"seconds": 0.1})
    before = toy.baseline_files
    monkeypatch.setattr("os.replace", _full_disk)
    session = toy.run("--pareto", "--pareto-update", "--pareto-runs=1")
    monkeypatch.undo()
    assert_says(session, "No space left on device", "The old baseline is intact")
    assert toy.baseline_files == before


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--pareto-runs=3"], ["--pareto-runs has no effect without --pareto"]),
        (["--pareto-update"], ["--pareto-update has no effect without --pareto"]),
        (["--pareto", "--pareto-runs=0"], ["--pareto-runs is '0'", "whole number from 1"]),
        (["--pareto", "--pareto-runs=many"], ["--pareto-runs is 'many'"]),
        (["--pareto", "--pareto-missing=maybe"], ["--pareto-missing", "maybe"]),
        (["--pareto", "-o", "pareto_missing=maybe"], ["pareto_missing is 'maybe'"]),
        (["--pareto", "-o", "pareto_alpha=2"], ["pareto_alpha is '2'"]),
        # With these nothing noisy could ever fail.
        (["--pareto", "-o", "pareto_alpha=0"], ["a number from 1e-06 to 0.5 is needed"]),
        (["--pareto", "-o", "pareto_alpha=1e-300"], ["pareto_alpha is '1e-300'"]),
        (["--pareto", "-o", "pareto_session_spread=moon=1"], ["'moon' is not one of host"]),
    ],
)
def test_wrong_options(
    pytester: pytest.Pytester, run: "Run", args: list[str], words: list[str]
) -> None:
    assert_says(run_test(pytester, run, "def test_it(): pass", *args), *words, exit_code=4)
