"""Outputs of samples: kept, accepted with the baseline, and shown where a case got worse."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.outputs.accepted_outputs import FOLDER
from pytest_pareto.plugin import outputs
from tests.plugin.conftest import Run

KEPT_LOADED = (outputs, Image)
"""In-process sessions must not import these anew: see the conftest."""

TOY = """
import json, pathlib
import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
BAD = json.loads((HERE / "bad.json").read_text())
IDS = [f"digit {n}/\\u202e\\x1b" for n in range(100)]

def shade(number, starts):
    return 250 - number if number in BAD else number + 100 * (starts > 1)

@pytest.mark.parametrize("case", ["all"])
def test_digits(pareto, case):
    starts = HERE / "starts"
    starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
    count = len(starts.read_text()) if (HERE / "counts").exists() else 1
    outputs = {id: np.full((8, 8), shade(n, count), np.uint8) for n, id in enumerate(IDS)}
    pareto.keep(outputs)
    scores = [0.9 + 0.0001 * n - (0.5 + n / 1000 if n in BAD else 0) for n in range(100)]
    pareto.record("accuracy", scores, ids=IDS, better="higher", tolerance=0.01)
"""
BAD = [3, 13, 23, 33, 43, 53, 63, 73, 83, 93]
WORST = [93, 83, 73, 63, 53]
GREY = (200, 200, 200)
SMALL = 'Image.new("L", (8, 8), shade(n, count))'
QUIET = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-p", "no:hypothesispytest")


@pytest.fixture
def temp(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temp folder in which nothing may be left."""
    folder = tmp_path_factory.mktemp("temp")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def write_toy(path: Path, bad: list[int] | None = None) -> None:
    (path / "test_digits.py").write_text(TOY)
    plant(path, bad or [])


def plant(path: Path, bad: list[int]) -> None:
    (path / "bad.json").write_text(json.dumps(bad))


def record(path: Path, *args: str) -> str:
    """Record a baseline in a fresh process, as a user does."""
    write_toy(path)
    command = [sys.executable, "-m", "pytest", "--pareto", "--pareto-update", "--pareto-runs=1"]
    done = subprocess.run(
        [*command, *QUIET, *args],
        cwd=path,
        env={k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy project with its baseline and the outputs of that, recorded once."""
    path = tmp_path_factory.mktemp("recorded")
    record(path)
    return path


@pytest.fixture
def recorded(pytester: pytest.Pytester, baseline: Path, temp: Path) -> Path:
    """A copy of it in the current folder, and a temp folder of its own."""
    shutil.copytree(baseline, pytester.path, dirs_exist_ok=True)
    return pytester.path


def pictures(case: CaseVerdict, path: Path) -> list[Path]:
    """Follow the note of a case to its pictures, the worst first."""
    (note,) = [note for note in case.comparison.notes if "worst samples" in note]
    return sorted((path / note.rpartition(": ")[2]).rglob("*.png"))


def halves(picture: Path) -> tuple[object, object]:
    with Image.open(picture) as drawn:
        return drawn.getpixel((100, 150)), drawn.getpixel((400, 150))


def grey(shade: int) -> tuple[int, int, int]:
    return (shade, shade, shade)


def test_a_collapse_is_shown_old_beside_new(recorded: Path, run: Run, temp: Path) -> None:
    path = recorded
    assert len(list((path / FOLDER).rglob("*.png"))) == 100
    assert not list(temp.iterdir())
    plant(path, BAD)
    worse = run("--pareto")
    assert worse.exit_code == 1
    drawn = pictures(worse.case("all"), path)
    assert [file.name.split("-")[:3] for file in drawn] == [
        [str(rank), "digit", str(number)] for rank, number in enumerate(WORST, 1)
    ]
    assert {file.parent.name for file in drawn} == {"accuracy"}
    for file, number in zip(drawn, WORST, strict=True):
        assert halves(file) == (grey(number), grey(250 - number))
    folder = drawn[0].parents[1].name
    assert worse.text.count(f"worst samples, before and now: pareto_artifacts/{folder}") == 1
    assert not list(temp.iterdir())
    # Nothing was accepted: the same again, and what is left of a case that recovered.
    assert halves(pictures(run("--pareto").case("all"), path)[0]) == (grey(93), grey(157))
    plant(path, [])
    good = run("--pareto")
    assert good.exit_code == 0
    assert "worst" not in good.text
    assert "outputs" not in good.text


def test_an_update_accepts_the_outputs_with_the_scores(
    recorded: Path, run: Run, temp: Path
) -> None:
    path = recorded
    plant(path, BAD)
    accepted = run("--pareto", "--pareto-update", "--pareto-runs=1")
    assert accepted.exit_code == 0, accepted.text
    assert halves(pictures(accepted.case("all"), path)[0]) == (grey(93), grey(157))
    plant(path, [*BAD, *range(1, 10)])
    worse = run("--pareto")
    assert worse.exit_code == 1
    assert "worst samples, before and now" in worse.text
    drawn = {
        int(file.name.split("-")[2]): halves(file) for file in pictures(worse.case("all"), path)
    }
    assert drawn == {n: (grey(n), grey(250 - n)) for n in (9, 8, 7, 6, 5)}
    index = next((path / FOLDER).rglob("index.jsonl")).parent
    with Image.open(next(index.glob("digit-93-*.png"))) as image:
        assert image.getpixel((0, 0)) == 157


def test_only_the_first_run_keeps(pytester: pytest.Pytester, run: Run, temp: Path) -> None:
    (pytester.path / "counts").touch()
    write_toy(pytester.path)
    assert run("--pareto", "--pareto-update", "--pareto-runs=2").exit_code == 0
    assert (pytester.path / "starts").read_text() == "xx"
    with Image.open(next((pytester.path / FOLDER).rglob("digit-93-*.png"))) as image:
        assert image.getpixel((0, 0)) == 93


def test_the_page_has_the_pictures_in_it(recorded: Path, run: Run) -> None:
    plant(recorded, BAD)
    run("--pareto", "--pareto-html=report.html")
    page = (recorded / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    files = [file.read_bytes() for file in recorded.rglob("pareto_artifacts/**/*.png")]
    assert len(shown) == len(WORST)
    assert {base64.b64decode(data) for data in shown} == set(files)
    # The most severe first, under the name of its sample with nothing of it obeyed.
    first = page.index(shown[0])
    assert f"1. digit {WORST[0]}/\\u202e\\x1b<" in page[first:]


def test_outputs_of_another_baseline_are_not_shown(recorded: Path, run: Run, temp: Path) -> None:
    """As of a colleague's commit, whose outputs are on the colleague's machine."""
    path = recorded
    (file,) = (path / "pareto_baselines").rglob("*.samples.json")
    content = json.loads(file.read_text())
    ((line,),) = (lines.values() for lines in content["cases"].values())
    line["values"][0] -= 0.05
    line["values"][1] += 0.05
    file.write_text(json.dumps(content))
    plant(path, BAD)
    worse = run("--pareto")
    assert worse.exit_code == 1
    assert "worst samples, now (nothing is kept of before; --pareto-against shows" in worse.text
    assert halves(pictures(worse.case("all"), path)[0]) == (GREY, grey(157))


def test_a_session_with_the_very_scores_of_a_baseline_fills_in(recorded: Path, run: Run) -> None:
    shutil.rmtree(recorded / FOLDER)
    plant(recorded, BAD)
    assert run("--pareto").exit_code == 1
    assert not (recorded / FOLDER).exists()  # worse ones are nobody's baseline
    plant(recorded, [])
    assert run("--pareto").exit_code == 0
    plant(recorded, BAD)
    assert halves(pictures(run("--pareto").case("all"), recorded)[0]) == (grey(93), grey(157))


def test_nothing_is_kept_where_nothing_may_be(recorded: Path, run: Run) -> None:
    shutil.rmtree(recorded / FOLDER)
    nothing = ("-o", "pareto_outputs_mb=0")
    assert run("--pareto", *nothing).exit_code == 0
    plant(recorded, BAD)
    worse = run("--pareto", *nothing)
    assert worse.exit_code == 1
    assert "worst samples: digit 93" in worse.text
    assert "worst samples, " not in worse.text
    assert not (recorded / "pareto_artifacts").exists()
    assert not (recorded / FOLDER).exists()


def test_what_does_not_fit_is_told_once_and_only_where_it_matters(recorded: Path, run: Run) -> None:
    shutil.rmtree(recorded / FOLDER)
    shutil.rmtree(recorded / "pareto_baselines")
    few = ("-o", "pareto_outputs_mb=0.002")
    first = run("--pareto", "--pareto-update", "--pareto-runs=1", *few)
    told = " ".join(first.text.split())
    assert told.count("samples were not kept: pareto_outputs_mb is used up") == 1
    kept = [file.stat().st_size for file in (recorded / FOLDER).rglob("*.png")]
    assert 0 < sum(kept) <= 2000
    assert "not kept" not in run("--pareto", *few).text
    plant(recorded, BAD)
    assert "not kept: pareto_outputs_mb" in " ".join(run("--pareto", *few).text.split())


@pytest.mark.parametrize("value", ["-1", "much", "nan", "inf"])
def test_a_bound_that_is_none_is_refused(pytester: pytest.Pytester, run: Run, value: str) -> None:
    write_toy(pytester.path)
    done = run("--pareto", "-o", f"pareto_outputs_mb={value}")
    assert done.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "it takes megabytes" in done.text


def test_pictures_that_cannot_be_written_fail_nothing_more(recorded: Path, run: Run) -> None:
    shutil.rmtree(recorded / FOLDER)
    (recorded / FOLDER).write_text("in the way")
    (recorded / "pareto_artifacts").write_text("in the way")
    good = run("--pareto")
    assert good.exit_code == 0
    assert "outputs could not be kept in .pareto_outputs: " in good.text
    plant(recorded, BAD)
    worse = run("--pareto")
    assert worse.exit_code == 1
    assert "the worst samples could not be drawn (" in worse.text


TWO_EVALUATIONS = """
import json, pathlib
from PIL import Image

HERE = pathlib.Path(__file__).parent
IDS = ["a", "b", "c", "d"]

def test_two(pareto):
    fall = json.loads((HERE / "bad.json").read_text())
    pareto.keep({id: Image.new("L", (8, 8), 1) for id in IDS})
    for number, name in enumerate(("base", "upscaled")):
        keep = pareto._recorder.keeper(None, [name])
        for n, id in enumerate(IDS):
            if keep is not None:
                keep(id, Image.new("L", (8, 8), 100 * number + 10 * len(fall) + n))
        scores = [n + 0.001 * n * n - 5 * len(fall) for n in range(4)]
        pareto.record(name, scores, ids=IDS, better="higher", tolerance=0.01)
"""


def test_each_metric_shows_what_it_scored(pytester: pytest.Pytester, run: Run, temp: Path) -> None:
    path = pytester.path
    plant(path, [])
    (path / "test_two.py").write_text(TWO_EVALUATIONS)
    assert run("--pareto", "--pareto-update", "--pareto-runs=1").exit_code == 0
    plant(path, [1])
    worse = run("--pareto")
    (case,) = worse.cases
    shown = {f"{file.parent.name}/{file.name[-5]}": halves(file) for file in pictures(case, path)}
    assert shown == {
        f"{name}/{letter}": (grey(100 * number + n), grey(100 * number + 10 + n))
        for number, name in enumerate(("base", "upscaled"))
        for n, letter in enumerate("abcd")
    }


@pytest.mark.parametrize("args", [(), ("--pareto", "--pareto-missing=warn")])
def test_the_documented_example_passes(
    pytester: pytest.Pytester, run: Run, temp: Path, args: tuple[str, ...]
) -> None:
    page = Path(__file__).parents[2] / "docs" / "worst_samples.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    pytester.makepyfile(test_example=example)
    done = run(*args)
    assert done.exit_code == 0, done.text
    assert (pytester.path / FOLDER).exists() is False


def test_without_pareto_nothing_is_kept(pytester: pytest.Pytester, run: Run, temp: Path) -> None:
    write_toy(pytester.path)
    assert run().exit_code == 0
    assert not list(pytester.path.rglob("*.png"))
    assert not [file.name for file in pytester.path.iterdir() if "pareto" in file.name]
    assert not list(temp.iterdir())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("[1, 2], ids=[1]", "there are 2 outputs and 1 ids"),
        ("[1, 2]", "takes a mapping from sample ids"),
        ("{'a': 1}, ids=['a']", "a mapping has its ids already"),
        ("3, ids=[1]", "takes a mapping from sample ids"),
    ],
)
def test_outputs_without_their_ids_are_an_error(
    pytester: pytest.Pytester, run: Run, given: str, said: str
) -> None:
    pytester.makepyfile(f"def test_it(pareto):\n    pareto.keep({given})")
    done = run()
    assert done.exit_code == 1
    assert f"pareto.keep: {said}" in done.text or f"pareto.keep {said}" in done.text


def test_without_pillow_so_much_is_said(
    recorded: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    plant(recorded, BAD)
    worse = run("--pareto")
    assert worse.exit_code == 1
    told = " ".join(worse.text.split())
    assert told.count("outputs of 100 samples were not kept: Pillow is not installed") == 1
    assert told.count("the worst samples are not drawn: Pillow is not installed") == 1
    assert not list((recorded / "pareto_artifacts").rglob("*.png"))
    plant(recorded, [])
    assert "Pillow" not in run("--pareto").text


def test_in_turn_both_sides_are_there(tmp_path: Path) -> None:
    root, temp = tmp_path / "repository", tmp_path / "temp"
    (root / "mypkg").mkdir(parents=True)
    temp.mkdir()
    (root / "tests").mkdir()
    code = root / "mypkg" / "__init__.py"
    code.write_text("BAD = []\n")
    test = TOY.replace('json.loads((HERE / "bad.json").read_text())', "mypkg.BAD")
    test = test.replace("import numpy as np", "import mypkg\nfrom PIL import Image")
    test = test.replace("np.full((8, 8), shade(n, count), np.uint8)", SMALL)
    (root / "tests" / "test_digits.py").write_text(test)
    (root / ".gitignore").write_text("__pycache__/\nstarts\n")
    author = ("-c", "user.email=none@example.org", "-c", "user.name=none")
    for command in (
        ("init", "-q"),
        ("add", "--all"),
        (*author, "commit", "--quiet", "--message", "x"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    code.write_text(f"BAD = {BAD}\n")
    turns = ("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--pareto", *QUIET, *turns],
        cwd=root,
        env={**os.environ, "TMPDIR": str(temp)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (folder,) = set(re.findall(r"worst samples, before and now: (\S+)", done.stdout))
    drawn = sorted((root / folder).rglob("*.png"))
    assert len(drawn) == 5
    for file, number in zip(drawn, WORST, strict=True):
        assert halves(file) == (grey(number), grey(250 - number))
    assert not (root / FOLDER).exists()
    assert not list(temp.iterdir())
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True
    )
    assert status.stdout.split() == ["M", "mypkg/__init__.py"]
