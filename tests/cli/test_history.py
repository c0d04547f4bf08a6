"""``pytest-pareto history`` on repositories with many commits of a baseline."""

import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_pareto import cli
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.store import write
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Scope
from pytest_pareto.report.text import display_width
from pytest_pareto.runs.git_objects import GitObjects, Snapshots

OLD = Environment("EPYC", 16, 8, "NVIDIA H200", 1, software={"torch": "2.12.0"})
NEW = Environment("EPYC", 16, 8, "NVIDIA H200", 1, software={"torch": "2.13.0"})
KEY = OLD.hardware_key
COMMITS = 30
ACCEPTED = 20
"""The index of the commit that accepts another level of the fast case, and upgrades torch."""
UNTOUCHED = 7
"""The index of the commit that changes a score only."""
SCALE = (0.98, 0.99, 1.0, 1.01, 1.02)
STEM = "tests/test_a.py::test_a"


def fast_s(at: int) -> float:
    """Return the level of the fast case (s): 0.5 % more per commit, and 20 % more once accepted."""
    return 0.1 * 1.005**at * (1.2 if at >= ACCEPTED else 1.0)


def baseline_at(at: int) -> Baseline:
    env = NEW if at >= ACCEPTED else OLD
    drawn = at - 1 if at == UNTOUCHED else at
    metrics = {
        f"{STEM}[fast]": (latency(env, fast_s(drawn), int(at >= ACCEPTED)), score(env, 0.8, at)),
        f"{STEM}[good]": (latency(env, 0.4, 0), score(env, 0.9, at)),
    }
    cases = {
        case_id: CaseHistory(case_id, STEM, "s", dict(zip(("latency", "score"), both, strict=True)))
        for case_id, both in metrics.items()
    }
    return Baseline(KEY, cases, {environment_key(e): e for e in (OLD, NEW)})


def latency(env: Environment, level: float, epoch: int) -> MetricHistory:
    session = Session(environment_key(env), epoch, tuple(level * x for x in SCALE))
    return MetricHistory("s", Better.LOWER, Kind.RUN, Scope.HOST, (session,))


def score(env: Environment, value: float, at: int) -> MetricHistory:
    session = Session(environment_key(env), 0, (value + at * 1e-5,))
    samples = Samples(("a", "b"), session.runs * 2)
    return MetricHistory("", Better.HIGHER, Kind.PAIRED, Scope.GPU, (session,), samples)


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "pareto_baselines"

    def git(self, *arguments: str, at: int = 0) -> str:
        date = f"2026-01-{at + 1:02d}T12:00:00+0000"
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            env=os.environ | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def commit(self, subject: str, at: int = 0) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject, at=at)
        return self.git("rev-parse", "--short", "HEAD").strip()

    def write(self, at: int, before: int | None = None) -> None:
        nothing = Baseline(KEY, {}, {})
        write(self.folder, KEY, nothing if before is None else baseline_at(before), baseline_at(at))


def isolate_git_config(patch: pytest.MonkeyPatch, folder: Path) -> None:
    config = folder / "gitconfig"
    config.write_text("[user]\nname = Nobody\nemail = nobody@example.org\n")
    patch.setenv("GIT_CONFIG_GLOBAL", str(config))
    patch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    isolate_git_config(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with thirty commits of a baseline, and three other commits."""
    top = tmp_path_factory.mktemp("thirty")
    with pytest.MonkeyPatch.context() as patch:
        isolate_git_config(patch, top)
        made = Repository(top / "project")
        made.path.mkdir()
        made.git("init", "--quiet", "--initial-branch=main", "--template=")
        (made.path / "pytest.ini").write_text("[pytest]\n")
        for at in range(COMMITS):
            made.write(at, at - 1 if at else None)
            made.commit(f"Baseline {at}", at)
            if at % 10 == 5:
                made.commit(f"Something else after {at}", at)
    return made


@pytest.fixture
def copied(thirty: Repository, tmp_path: Path) -> Repository:
    return Repository(Path(shutil.copytree(thirty.path, tmp_path / "copied")))


def run_history(
    capsys: pytest.CaptureFixture[str], where: Repository | Path, *arguments: str, code: int = 0
) -> str:
    folder = where.folder if isinstance(where, Repository) else where
    assert cli.main(["history", *arguments, "--baseline", str(folder)]) == code
    out, err = capsys.readouterr()
    if code:
        assert out == ""
        assert err.startswith("pytest-pareto history: ")
        return err
    assert max(map(display_width, out.splitlines())) <= int(os.environ["COLUMNS"])
    return out


def percent(change: float) -> str:
    decimals = max(0, 1 - math.floor(math.log10(abs(100 * change))))
    return f"{100 * change:+.{decimals}f}".replace("-", "−")


def rows_of(text: str) -> list[list[str]]:
    """Return the rows of the table: commit, date, level, changes, ..."""
    table = text.partition("\ncommit ")[2].partition("\n\n")[0].splitlines()[1:]
    return [line.split() for line in table if re.match("[0-9a-f]{7}", line)]


def check_thirty(text: str, shas: Mapping[str, str]) -> None:
    """Check the rows of all commits that changed the latency: level, changes and notes."""
    # The geometric mean of the runs is what comparisons use.
    geometric_mean = math.exp(math.fsum(map(math.log, SCALE)) / len(SCALE))
    touched = [at for at in range(COMMITS) if at != UNTOUCHED]
    rows = rows_of(text)
    assert len(rows) == len(touched)
    for row, at, before in zip(rows, touched, [None, *touched], strict=False):
        level = fast_s(at) * geometric_mean
        assert row[:3] == [
            shas[f"Baseline {at}"],
            f"2026-01-{at + 1:02d}",
            f"{1e3 * level:.1f}",
        ]
        assert row[-2:] == ["Baseline", str(at)]
        if before is not None:
            changes = [fast_s(at) / fast_s(then) - 1 for then in (before, 0)]
            assert row[3:7] == [percent(changes[0]), "%", percent(changes[1]), "%"]
        assert ("A" in row[3:-2]) == (at == ACCEPTED)
    assert "torch 2.12.0 → 2.13.0" in text
    assert "A: another level was accepted here" in text
    assert "1 other commit left it as it was" in text


def shas_of(repository: Repository) -> dict[str, str]:
    lines = repository.git("log", "--format=%h %s").splitlines()
    return {subject: short for short, _, subject in (line.partition(" ") for line in lines)}


def test_thirty_commits(thirty: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    text = run_history(capsys, thirty, "latency", "fast")
    check_thirty(text, shas_of(thirty))
    assert f"{KEY}: 30 commits of the baseline, 2026-01-01 to 2026-01-30\n" in text
    assert "[good]" not in text


def test_the_check_fails_where_the_newest_files_are_read(
    thirty: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A negative control of the test above, with the most likely error."""
    files, head = Snapshots.files, thirty.git("rev-parse", "HEAD").strip()
    monkeypatch.setattr(Snapshots, "files", lambda self, _: files(self, head))
    with pytest.raises(AssertionError):
        check_thirty(run_history(capsys, thirty, "latency", "fast"), shas_of(thirty))


def test_the_check_fails_where_the_level_is_an_arithmetic_mean(
    thirty: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_pareto.compare import stored

    monkeypatch.setattr(stored, "accepted_level", lambda past, _: sum(past.newest.runs) / 5)
    with pytest.raises(AssertionError):
        check_thirty(run_history(capsys, thirty, "latency", "fast"), shas_of(thirty))


def test_the_plot_shows_every_commit(
    thirty: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run_history(capsys, thirty, "latency", "fast")
    drawn = text.partition("is better: [fast]\n")[2].splitlines()[:10]
    marks = {
        (column, row): mark
        for row, line in enumerate(drawn)
        for column, mark in enumerate(line.partition("│")[2])
        if mark != " "
    }
    assert len(marks) == COMMITS
    heights = [row for _, row in sorted((column, row) for column, row in marks)]
    assert heights == sorted(heights, reverse=True)
    order = [marks[key] for key in sorted(marks)]
    assert order[ACCEPTED] == "A"
    assert order[UNTOUCHED] == "·"
    assert order.count("o") == COMMITS - 2
    step = heights[ACCEPTED - 1] - heights[ACCEPTED]
    assert step == max(a - b for a, b in pairwise(heights)) > 2


def test_without_a_metric_each_case_has_a_line(
    thirty: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run_history(capsys, thirty)
    lines = text.splitlines()
    (fast,) = (line for line in lines if line.startswith("[fast]") and "%" in line)
    assert fast.split()[:4] == ["[fast]", "100.0", "138.7", "+39"]
    bars = fast.split()[-1]
    assert (bars[0], bars[-1]) == ("▁", "█")
    assert list(bars) == sorted(bars)
    assert f"{STEM}: latency (ms), lower is better" in lines
    assert f"{STEM}: score, higher is better" in lines
    assert "commit   date" not in text


def test_the_newest_n_commits(thirty: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(run_history(capsys, thirty, "latency", "[fast]", "-n", "4"))
    assert [row[-1] for row in rows] == ["26", "27", "28", "29"]
    first = fast_s(26)
    assert rows[-1][5] == percent(fast_s(29) / first - 1)


def test_unreadable_commits_are_reported_and_skipped(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    main = copied.folder / KEY / "tests" / "test_a.json"
    good = main.read_text()
    main.write_text(good.replace('"schema": 1', '"schema": 99'))
    newer = copied.commit("From the future", 29)
    main.write_text("<<<<<<< HEAD\n" + good)
    conflict = copied.commit("Half merged", 29)
    main.write_bytes(good.encode().replace(b'"s"', b'"\xff"'))
    binary = copied.commit("No text", 29)
    main.write_text(good.replace(environment_key(NEW), "0" * 12))
    lost = copied.commit("A lost environment", 29)
    main.write_text(good)
    copied.commit("Good again", 29)
    text = run_history(capsys, copied, "latency", "fast")
    plain = " ".join(text.split())
    for short, subject, why in (
        (newer, "From the future", "schema 99 was written by a newer pytest-pareto"),
        (conflict, "Half merged", "unresolved merge conflict at line 1"),
        (binary, "No text", "expected UTF-8 text"),
        (lost, "A lost environment", "expected an environment of _env/"),
    ):
        assert f"skipped {short} ({subject}): {KEY}/tests/test_a.json" in plain
        assert why in plain
        assert not any(row[0] == short for row in rows_of(text))
    check_thirty(text.replace("2 other commits", "1 other commit"), shas_of(copied))


def test_unreadable_commits_alone_are_an_error(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied.folder / KEY / "tests" / "test_a.json").write_text("{")
    copied.commit("Broken")
    error = run_history(capsys, copied, "-n", "1", code=2)
    assert "none of 1 commits holds a baseline that can be read" in error
    assert "not valid JSON" in error


def test_a_merge_counts_as_one_commit(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    copied.git("checkout", "--quiet", "-b", "faster")
    for at in (COMMITS, COMMITS + 1):
        copied.write(at, at - 1)
        copied.commit(f"On the branch {at}")
    copied.git("checkout", "--quiet", "main")
    copied.commit("Meanwhile")
    copied.git("merge", "--quiet", "--no-ff", "-m", "Merge faster", "faster")
    rows = rows_of(run_history(capsys, copied, "latency", "fast"))
    assert [row[-2:] for row in rows[-2:]] == [["Baseline", "29"], ["Merge", "faster"]]
    change = fast_s(COMMITS + 1) / fast_s(COMMITS - 1) - 1
    assert rows[-1][3] == percent(change)


def test_a_baseline_that_is_removed_and_restored(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = copied.path.parent / "kept"
    shutil.move(copied.folder, kept)
    copied.commit("Away with it")
    gone = run_history(capsys, copied, "latency", "fast")
    assert "it is not in the baseline any more" in gone
    shutil.move(kept, copied.folder)
    copied.commit("Back again")
    rows = rows_of(run_history(capsys, copied, "latency", "fast"))
    assert rows[-2][2] == "—"
    assert rows[-1][3:5] == ["0", "%"]


def test_no_file_is_changed(copied: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    (copied.folder / KEY / "tests" / "test_a.json").write_text("in the middle of something")
    before = {path: path.stat().st_mtime_ns for path in copied.path.rglob("*")}
    text = run_history(capsys, copied, "latency", "fast")
    check_thirty(text, shas_of(copied))  # the commits', not the working tree's
    assert {path: path.stat().st_mtime_ns for path in copied.path.rglob("*")} == before


def test_from_a_folder_of_the_project_and_from_a_hook(
    copied: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own baseline is read; git's variables for hooks are ignored."""
    below = copied.path / "tests"
    below.mkdir()
    monkeypatch.chdir(below)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert cli.main(["history", "latency", "good"]) == 0
    assert f"latency of {STEM}[good]" in capsys.readouterr().out


def test_a_sha256_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Repository(tmp_path / "sha256")
    made.path.mkdir()
    made.git("init", "--quiet", "--object-format=sha256", "--template=")
    for at in range(3):
        made.write(at, at - 1 if at else None)
        made.commit(f"Baseline {at}")
    assert [row[-1] for row in rows_of(run_history(capsys, made, "latency", "fast"))] == [
        "0",
        "1",
        "2",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["latencies"], "no metric 'latencies'; did you mean 'latency'? there are: latency, score"),
        (["latency", "slow"], f"in its id 'slow'; there are:\n  {STEM}[fast]\n  {STEM}[good]"),
        (["latency", "--hardware", "tpu"], f"never held results of 'tpu'; there are: {KEY}"),
    ],
)
def test_unknown_names_are_errors(
    thirty: Repository, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert message in run_history(capsys, thirty, *arguments, code=2)


def test_one_of_several_machines_must_be_named(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(copied.folder / KEY, copied.folder / "cpu-other")
    copied.commit("Another machine")
    error = run_history(capsys, copied, code=2)
    assert f"2 kinds of machine; choose one with --hardware KEY: cpu-other, {KEY}" in error
    assert (
        len(rows_of(run_history(capsys, copied, "latency", "fast", "--hardware", "cpu-other"))) == 1
    )


def test_outside_of_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not inside a git repository" in run_history(capsys, tmp_path / "kept", code=2)


def test_a_shallow_clone(
    thirty: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its oldest commit would look like the first one."""
    shallow = tmp_path / "shallow"
    thirty.git("clone", "--quiet", "--depth", "3", f"file://{thirty.path}", str(shallow))
    error = run_history(capsys, Repository(shallow), code=2)
    assert "is shallow" in error
    assert "git fetch --unshallow" in error


def test_a_baseline_that_was_never_committed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Repository(tmp_path / "new")
    made.path.mkdir()
    made.git("init", "--quiet", "--template=")
    assert "there is none now" in run_history(capsys, made, code=2)
    made.write(0)
    assert "it is there, and no commit holds it" in run_history(capsys, made, code=2)


def test_no_git(
    thirty: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is none on the PATH" in run_history(capsys, thirty, code=2)


def unpack_objects(repository: Repository) -> Path:
    """Unpack the objects of a repository into files; return their folder."""
    folder = repository.path / ".git" / "objects"
    for pack in (folder / "pack").glob("*.pack"):
        moved = pack.rename(folder / "moved.pack")
        subprocess.run(
            ["git", "-C", str(repository.path), "unpack-objects", "-q"],
            stdin=moved.open("rb"), check=True,
        )  # fmt: skip
    return folder


def remove_object(repository: Repository, name: str) -> str:
    sha = repository.git("rev-parse", name).strip()
    (unpack_objects(repository) / sha[:2] / sha[2:]).unlink()
    return sha


def test_a_file_is_no_baseline(copied: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    (copied.path / "a.py").write_text("")
    copied.commit("A file")
    error = run_history(capsys, copied.path / "a.py", code=2)
    assert "a.py is a file; name the folder of a baseline" in error


def test_a_folder_without_results(copied: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    (copied.path / "src").mkdir()
    (copied.path / "src" / "a.py").write_text("")
    copied.commit("Code")
    error = run_history(capsys, copied.path / "src", code=2)
    assert "src holds no results in any of 1 commits; record some" in error


def test_a_repository_whose_commit_is_gone(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_object(copied, "HEAD")
    error = run_history(capsys, copied, code=2)
    assert f"git log failed in {copied.path.as_posix()}:\nfatal: bad object HEAD\n" in error
    assert "git fsck" in error
    assert "no commit of this branch" not in error


def test_a_branch_that_cannot_be_read(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied.path / ".git" / "refs" / "heads" / "main").write_text("gar\x1bbage\n")
    error = run_history(capsys, copied, code=2)
    assert "git log failed in" in error
    assert "\x1b" not in error


def test_a_folder_of_a_commit_that_is_gone(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    sha = remove_object(copied, "HEAD:pareto_baselines")
    error = run_history(capsys, copied, code=2)
    assert "git log failed in" in error
    assert sha in error


def test_a_repository_that_git_refuses(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    with (copied.path / ".git" / "config").open("a") as config:
        config.write("[broken\x1b")
    error = run_history(capsys, copied, code=2)
    assert re.search(r"git refuses .*:\nfatal: bad config line \d+ in file", error)
    assert "do what git says" in error


def test_a_repository_of_another_owner(
    copied: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    error = run_history(capsys, copied, code=2)
    assert "detected dubious ownership" in error
    assert "git config --global --add safe.directory" in error


def test_a_git_process_that_ended_is_an_error(copied: Repository) -> None:
    with GitObjects(copied.path) as objects:
        assert objects._process is not None
        objects._process.kill()
        objects._process.wait()
        with pytest.raises(ParetoError, match=r"git has no object HEAD \(it ended\); run"):
            objects.read("HEAD")


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5"])
def test_a_wrong_number_of_commits_is_refused(
    capsys: pytest.CaptureFixture[str], count: str
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["history", f"-n={count}"])
    assert "is not a number of commits" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("arguments", [(), ("latency",), ("score", "good")])
def test_lines_fit_the_terminal(
    thirty: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    arguments: Sequence[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = run_history(capsys, thirty, *arguments)  # it checks the width
    assert text.count("[good]") >= 1


def test_control_characters_in_subjects_are_escaped(
    copied: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    copied.write(COMMITS, COMMITS - 1)
    copied.commit("\x1b[31mred\u202e" + "模" * 200)
    text = run_history(capsys, copied, "latency", "fast")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[31mred" in text


def test_ascii_output_keeps_the_columns(thirty: Repository) -> None:
    plain, drawn = (
        subprocess.run(
            [sys.executable, "-m", "pytest_pareto", "history", "--baseline", str(thirty.folder)],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=True,
        )
        .stdout.decode(encoding)
        .splitlines()
        for encoding in ("ascii", "utf-8")
    )
    assert list(map(len, plain)) == list(map(display_width, drawn))
    assert not any("\\" in line for line in plain)
    assert plain != drawn
