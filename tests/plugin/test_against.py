"""``--pareto-against REF``: a package in a git repository of its own, old code against new."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.plugin.conftest import SIMULATED_CLOCK, Run
from tests.runs.test_process import ends

PACKAGE = "SECONDS = 0.02\n\ndef score():\n    return 0.9\n"
TEST = """
import mypkg

def test_work(pareto, sleep):
    pareto.configure(rounds=3, warmup=1).measure(sleep, mypkg.SECONDS)
    pareto.record("accuracy", mypkg.score(), better="higher", tolerance=0.01)

def test_other():
    assert True
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-p", "no:hypothesispytest")
LAYOUTS = ("flat", "src", "editable")


@dataclass(frozen=True)
class Repository:
    """A package of one module and its tests, in git."""

    path: Path
    package: Path
    environment: dict[str, str]

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, subject: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)

    def change(self, old: str, new: str) -> None:
        text = self.package.read_text()
        assert old in text
        self.package.write_text(text.replace(old, new))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", "--pareto", *QUIET, *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def state(self) -> tuple[str, ...]:
        """What a session must leave as it was."""
        asked = (["worktree", "list"], ["status", "--porcelain"], ["show-ref"], ["stash", "list"])
        entries = self.path / ".git" / "worktrees"
        return (*(self.git(*each) for each in asked), str(entries.exists()))


MakeRepository = Callable[..., Repository]


def make_repository(folder: Path, layout: str = "flat", *, tests: bool = True) -> Repository:
    """Make the repository in a folder, and there what else its layout needs."""
    path = folder / "repository"
    home = path / "src" if layout == "src" else path
    (home / "mypkg").mkdir(parents=True)
    (path / "tests").mkdir()
    # For a fixture of the module nothing has hidden CI yet.
    hidden = ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    if layout == "src":
        (path / "pytest.ini").write_text("[pytest]\npythonpath = src\n")
    if layout == "editable":
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(site)!r})\n")
        (site / "mypkg.pth").write_text(f"{path}\n")
        inherited = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(site), inherited)))
    repository = Repository(path, home / "mypkg" / "__init__.py", environment)
    repository.git("init", "--quiet")
    repository.git("config", "user.email", "none@example.org")
    repository.git("config", "user.name", "none")
    repository.package.write_text(PACKAGE)
    if not tests:
        repository.commit("Before there were tests")
    (path / "tests" / "test_work.py").write_text(TEST)
    (path / "tests" / "conftest.py").write_text(SIMULATED_CLOCK)
    (path / ".gitignore").write_text("__pycache__/\n")
    if tests:
        repository.commit("Work of 20 ms")
    return repository


@pytest.fixture
def make(tmp_path: Path) -> MakeRepository:
    return partial(make_repository, tmp_path)


def told(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def unharmed(done: subprocess.CompletedProcess[str]) -> int:
    """Return how many cases are unchanged, or undecided: two pairs leave one degree of freedom."""
    counts = re.search(r"(?:PASS|FAIL) (.*?) against ", told(done))
    assert counts is not None, done.stdout
    words = r"(\d+) (?:cases? )?(?:unchanged|not worse|inconclusive)"
    return sum(map(int, re.findall(words, counts[1])))


# Layouts; the other two are as slow as the first, and beside the calibration


@pytest.mark.parametrize(
    "layout", ["flat", *(pytest.param(x, marks=pytest.mark.slow) for x in LAYOUTS[1:])]
)
def test_a_slow_down_fails_and_a_comment_does_not(make: MakeRepository, layout: str) -> None:
    repository = make(layout)
    repository.change("def score", "# a comment\ndef score")
    for name in "abcde":
        (repository.path / f"{name}.json").write_text("{}")
    repository.commit("A comment")
    before = repository.state()
    same = repository.run("--pareto-against=HEAD~1", "--pareto-runs=3")
    assert same.returncode == 0, same.stdout
    assert "PASS 1 case unchanged" in told(same)
    assert "3 runs of each" in same.stdout
    assert "a.json, b.json, c.json and 2 more: changed, but no code" in told(same)
    assert "get the working tree's on both sides" in told(same)
    repository.change("0.02", "0.03")
    worse = repository.run("--pareto-against=HEAD~1", "--pareto-runs=2", "--pareto-confirm=1")
    assert worse.returncode == 1
    assert "against HEAD~1 (" in worse.stdout
    assert "Work of 20 ms), interleaved" in told(worse)
    assert "1 case measured again in 2 pairs" in worse.stdout
    assert "1 failed, 1 passed" in worse.stdout
    assert not (repository.path / "pareto_baselines").exists()
    repository.git("checkout", "--quiet", "--", ".")
    assert repository.state() == before


@pytest.mark.skipif(os.name != "posix", reason="sockets of POSIX")
def test_no_process_starts_up_while_another_measures(make: MakeRepository, tmp_path: Path) -> None:
    repository = make()
    log = f"""
import os, time

def pytest_configure(config):
    if config.getoption("--pareto-child", None):
        log("start")

def log(word):
    with open({str(tmp_path / "log")!r}, "a") as lines:
        print(word, os.getpid(), time.monotonic(), file=lines)
"""
    conftest = repository.path / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text() + log)
    test = repository.path / "tests" / "test_work.py"
    test.write_text(
        f"from conftest import log\n{test.read_text()}".replace(
            "    pareto.configure", '    log("test")\n    pareto.configure'
        )
    )
    repository.commit("A log")
    repository.run("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0")
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    tested = {pid: float(second) for word, pid, second in lines if word == "test"}
    started = {pid: float(second) for word, pid, second in lines if word == "start"}
    assert len(tested) == 6  # the warm-up of both, and two pairs
    assert max(started[pid] for pid in tested) < min(tested.values())


APART = {
    "out of memory": (
        "raise MemoryError",
        "tests/test_work.py::test_work ran out of memory",
    ),
    "killed": (
        "os.kill(os.getpid(), 9)",
        "leg was ended by signal 9",
    ),
}


@pytest.mark.skipif(os.name != "posix", reason="locks and sockets of POSIX")
@pytest.mark.parametrize("end", APART)
def test_what_cannot_live_at_once_is_measured_one_after_the_other(
    make: MakeRepository, tmp_path: Path, end: str
) -> None:
    statement, why = APART[end]
    repository = make()
    test = repository.path / "tests" / "test_work.py"
    alone = f"""
import fcntl, os

@pytest.fixture
def alone(pytestconfig):
    # As on a device whose memory is enough for one model.
    with open({str(tmp_path / "lock")!r}, "w") as lock:
        if pytestconfig.getoption("--pareto-child", None):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                {statement}
        time.sleep(0.3)
        yield
"""
    conftest = repository.path / "tests" / "conftest.py"
    conftest.write_text(f"import time\n{conftest.read_text()}{alone}")
    test.write_text(test.read_text().replace("(pareto, sleep)", "(pareto, sleep, alone)"))
    repository.commit("One at a time")
    repository.change("0.02", "0.03")
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=4", "--pareto-confirm=0")
    assert done.returncode == 1, done.stdout
    assert "could not live at the same time" in told(done)
    assert why in told(done)
    assert "measuring in 2 blocks of 4 runs took" in told(done)
    assert "4 runs of each" in done.stdout
    assert "latency WORSE" in done.stdout


@pytest.mark.slow
def test_the_spread_seen_decides_how_often_it_is_measured_again(make: MakeRepository) -> None:
    repository = make()
    repository.change("0.02", "0.03")
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2")
    assert "1 case measured again in 4 pairs" in done.stdout


# Whose code, whose tests


def test_a_ref_older_than_the_tests(make: MakeRepository) -> None:
    repository = make(tests=False)
    repository.change("0.02", "0.03")
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=3", "--pareto-confirm=0")
    assert done.returncode == 1, done.stdout
    assert re.search(r"\+(4[5-9]|5[0-4])(\.\d)? %", done.stdout), done.stdout
    assert "unconfirmed" in done.stdout


@pytest.fixture(scope="module")
def with_new(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """In CI, opened by a link: tests of what the old code has not and of a module it has not."""
    folder = tmp_path_factory.mktemp("new")
    repository = make_repository(folder)
    repository.package.write_text(PACKAGE + "MORE = 0.03\n")
    with (repository.path / "tests" / "test_work.py").open("a") as tests:
        tests.write("\ndef test_more(pareto, sleep):\n    pareto.measure(sleep, mypkg.MORE)\n")
    (repository.path / "mypkg" / "extra.py").write_text("SECONDS = 0.01\n")
    (repository.path / "tests" / "test_extra.py").write_text(
        "from mypkg.extra import SECONDS\n"
        "def test_extra(pareto, sleep):\n    pareto.measure(sleep, SECONDS)\n"
    )
    (repository.path / "pytest.ini").write_text("[pytest]\npareto_anchor = nowhere\n")
    link = folder / "link"
    link.symlink_to(repository.path)
    repository.environment["CI"] = "true"
    tests_by_link = [str(link / "tests" / name) for name in ("test_work.py", "test_extra.py")]
    quick = ("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0", "-v")
    return repository.run(*quick, *tests_by_link)


def test_what_the_old_code_cannot_do_is_new(with_new: subprocess.CompletedProcess[str]) -> None:
    assert with_new.returncode == 0, with_new.stdout
    assert "did not measure it (tests/test_work.py::test_more: AttributeError" in told(with_new)
    assert "has no attribute 'MORE'" in told(with_new)
    assert "no code" not in told(with_new)
    assert "2 new" in with_new.stdout


def test_what_only_the_new_code_can_import_is_new(
    with_new: subprocess.CompletedProcess[str],
) -> None:
    assert with_new.returncode == 0, with_new.stdout
    assert "did not measure it (tests/test_extra.py: ModuleNotFoundError: No mod" in told(with_new)
    failed = "with the old code 2 tests fail, and cannot be compared: tests/test_extra.py: "
    assert f"{failed}ModuleNotFoundError: No mod" in told(with_new)


def test_a_checkout_may_be_opened_by_a_link(with_new: subprocess.CompletedProcess[str]) -> None:
    assert with_new.returncode == 0, with_new.stdout
    assert "PASS 3 cases · 2 new" in told(with_new)
    assert unharmed(with_new) == 1


def test_an_anchor_of_the_project_is_left_out_and_that_is_said(
    with_new: subprocess.CompletedProcess[str],
) -> None:
    assert with_new.returncode == 0, with_new.stdout
    said = "the anchor is not compared with: with --pareto-against nothing stored is"
    assert said in told(with_new)


@pytest.fixture
def with_more(make: MakeRepository) -> Repository:
    """Tests of which the working tree has fewer than HEAD: deleted, renamed, with fewer cases."""
    repository = make()
    more = repository.path / "tests" / "test_more.py"
    more.write_text(
        "import pytest\n"
        "def test_renamed(pareto, sleep):\n    pareto.measure(sleep, 0.02)\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_fewer(pareto, sleep, n):\n    pareto.measure(sleep, 0.02)\n"
        "def test_plain():\n    pass\n"
    )
    gone = more.with_name("test_gone.py")
    gone.write_text("def test_gone(pareto, sleep):\n    pareto.measure(sleep, 0.02)\n")
    repository.commit("More tests")
    more.write_text(more.read_text().replace("[1, 2]", "[1]").replace("renamed", "is_new"))
    more.write_text(more.read_text().replace("test_plain", "test_simple"))
    gone.unlink()
    return repository


def test_tests_that_the_new_code_has_not_are_missing(with_more: Repository) -> None:
    done = with_more.run("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0")
    assert done.returncode == 1, done.stdout
    assert "3 of 6 cases missing" in told(done)
    assert unharmed(done) == 3
    names = ("test_gone.py::test_gone", "test_more.py::test_fewer[2]", "test_more.py::test_renamed")
    assert " ".join(f"tests/{name}" for name in names) in told(done)


def test_what_was_not_asked_for_is_not_missing(with_more: Repository) -> None:
    again = ("-k", "work or fewer", "--pareto-missing=warn")
    done = with_more.run("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0", *again)
    assert done.returncode == 0, done.stdout
    assert "1 missing" in told(done)
    assert unharmed(done) == 2
    assert "tests/test_more.py::test_fewer[2]" in told(done)


def test_the_refs_own_tests_are_run_and_missing_where_they_cannot(with_more: Repository) -> None:
    gone = with_more.path / "tests" / "test_gone.py"
    gone.write_text(with_more.git("show", "HEAD:tests/test_gone.py") + "from mypkg import score\n")
    with_more.commit("A test of what goes")
    gone.unlink()
    with_more.package.write_text("SECONDS = 0.02\n")
    done = with_more.run(
        *("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0"),
        *("-o", "pareto_against_tests=ref"),
    )
    assert done.returncode == 1, done.stdout
    assert "1 case MISSING: this case was measured before" in told(done)
    assert "could not be collected: tests/test_gone.py: ImportError: cannot import" in told(done)
    assert "FAILED tests/test_work.py::test_work" in told(done)


def test_old_tests_that_cannot_be_listed_are_told_and_no_more(make: MakeRepository) -> None:
    repository = make()
    conftest = repository.path / "tests" / "conftest.py"
    sound = conftest.read_text()
    conftest.write_text("def broken(:\n")
    repository.commit("Broken tests")
    conftest.write_text(sound)
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2")
    assert done.returncode == 0, done.stdout
    assert unharmed(done) == 1
    assert "whether a test of the old code is gone is not known: the ref leg ended" in told(done)


# What cannot be compared fails, and says so


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("def score(:\n", "; tests/test_work.py failed: SyntaxError: "),
        ("import os\nos._exit(9)\n", "the ref leg ended with exit code 9"),
        ("SECONDS = 0.02\n", "::test_work failed: AttributeError: "),
    ],
    ids=["no python", "dies", "fails every test"],
)
def test_old_code_that_measures_nothing_fails(
    make: MakeRepository, broken: str, message: str
) -> None:
    repository = make()
    sound = repository.package.read_text()
    repository.package.write_text(broken)
    repository.commit("Broken")
    repository.package.write_text(sound)
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2")
    assert done.returncode == 1, done.stdout
    assert message in told(done)
    assert "nothing was measured of HEAD" in told(done) or "ended" in message
    assert "WORSE" not in done.stdout
    assert "INTERNALERROR" not in told(done)


def test_code_that_is_not_the_legs_own_fails(make: MakeRepository) -> None:
    repository = make()
    tests = repository.path / "tests" / "test_work.py"
    tests.write_text(
        tests.read_text().replace(
            "import mypkg\n",
            "import importlib.util, pathlib, mypkg\n"
            "path = pathlib.Path(__file__).parents[1] / 'mypkg' / '__init__.py'\n"
            "spec = importlib.util.spec_from_file_location('by_path', path)\n"
            "mypkg = importlib.util.module_from_spec(spec)\n"
            "spec.loader.exec_module(mypkg)\n",
        )
    )
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2")
    assert done.returncode == 1
    assert "the ref leg did not measure its own code only" in told(done)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pareto-against=nowhere",), "--pareto-against nowhere: there is no such commit"),
        (("--pareto-against=HEAD", "--pareto-update"), "--pareto-update does not go with"),
        (("--pareto-against=HEAD", "--pareto-anchor=x"), "--pareto-anchor does not go with"),
        (("--pareto-against=HEAD", "-o", "pareto_against_tests=both"), "must be one of candidate"),
        (("--pareto-against=HEAD", "--pareto-runs=auto"), "--pareto-runs auto does not go with"),
        (("--pareto-against=HEAD", "--pareto-baseline=x"), "--pareto-baseline does not go with"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    make: MakeRepository,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(make().path)
    done = run("--pareto", *arguments)
    assert done.exit_code == pytest.ExitCode.USAGE_ERROR
    assert message in " ".join(done.text.split())


def test_outside_of_a_repository_it_is_refused(
    make: MakeRepository, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = make()
    monkeypatch.chdir(repository.path)
    (repository.path / ".git").rename(repository.path / "not_git")
    done = run("--pareto", "--pareto-against=HEAD")
    assert done.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "is not inside a git repository" in " ".join(done.text.split())


# How it ends


HANG = """
import os, pathlib, sys, time
def pytest_runtest_call(item):
    if '--pareto-child' in sys.argv:
        pathlib.Path('pid').write_text(str(os.getpid()))
        time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_a_signal_ends_it_and_what_it_runs(make: MakeRepository, tmp_path: Path, name: str) -> None:
    repository = make()
    repository.environment["TMPDIR"] = str(tmp_path)  # what SIGKILL leaves is left there
    with (repository.path / "tests" / "conftest.py").open("a") as conftest:
        conftest.write(HANG)
    (repository.path / ".gitignore").write_text("__pycache__/\npid\n")
    before = repository.state()
    parent = subprocess.Popen(
        repository.command("--pareto-against=HEAD"),
        cwd=repository.path,
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    pid = repository.path / "pid"
    deadline = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert repository.state() != before  # a worktree stands
    number = signal.Signals[name]
    parent.send_signal(number)
    output, _ = parent.communicate(timeout=20)
    if name == "SIGKILL":  # nothing is left to remove it, nor to end the run: the kernel does
        assert parent.returncode == -number
        assert ends(int(pid.read_text())) or sys.platform != "linux"
        return
    assert parent.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "INTERNALERROR" not in output
    assert repository.state() == before
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_temp_folder_that_cannot_be_written_fails_clearly(make: MakeRepository) -> None:
    """A full one refuses in the same way; here a plugin of the test's own does it."""
    repository = make()
    with (repository.path / "tests" / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nimport errno, tempfile\n"
            "def mkdtemp(*_, **__):\n"
            "    raise OSError(errno.ENOSPC, 'No space left on device', '/its/temp')\n"
            "def pytest_collection_finish(session):\n"
            "    tempfile.mkdtemp = mkdtemp\n"
        )
    done = repository.run("--pareto-against=HEAD")
    assert done.returncode == 1, done.stdout
    assert "--pareto-against: [Errno 28] No space left on device: '/its/temp'" in told(done)
    assert "INTERNALERROR" not in told(done)


@pytest.mark.slow
def test_x_ends_it_at_the_first_red_test(make: MakeRepository) -> None:
    repository = make()
    with (repository.path / "tests" / "test_work.py").open("a") as tests:
        tests.write("\ndef test_red():\n    assert False\n")
    before = repository.state()
    done = repository.run("--pareto-against=HEAD", "-x")
    assert done.returncode == 1
    assert "INTERNALERROR" not in told(done)
    assert "1 failed" in done.stdout
    assert repository.state() == before


@pytest.mark.slow
def test_it_is_quiet_under_q(make: MakeRepository) -> None:
    done = make().run("--pareto-against=HEAD", "--pareto-runs=2", "-q")
    assert done.returncode == 0
    assert "pareto: measuring" not in done.stdout
    assert "pareto: pass" in done.stdout


def test_what_git_does_not_hold_makes_no_test_new(make: MakeRepository) -> None:
    repository = make()
    (repository.path / ".gitignore").write_text("__pycache__/\n_made.py\n")
    (repository.path / "mypkg" / "_made.py").write_text("SECONDS = 0.04\n")
    (repository.path / "tests" / "test_made.py").write_text(
        "from mypkg._made import SECONDS\n"
        "def test_made(pareto, sleep):\n    pareto.measure(sleep, SECONDS)\n"
    )
    repository.commit("A test of what is made")
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2")
    assert done.returncode == 1, done.stdout
    assert "pareto_against_links = mypkg/_made.py" in told(done)


def test_what_fails_only_while_it_warms_up_fails(make: MakeRepository, tmp_path: Path) -> None:
    repository = make()
    cold = f"import pathlib\nCOLD = pathlib.Path({str(tmp_path / 'warm')!r})\n"
    once = "    if not COLD.exists():\n        COLD.touch()\n        raise OSError('no cache')\n"
    text = repository.package.read_text()
    head, definition, body = re.split(r"(def score\(.*\).*:\n)", text)
    repository.package.write_text(f"{cold}{head}{definition}{once}{body}")
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0")
    assert done.returncode == 1
    assert "failed in the warm-up of the new code" in told(done)
    assert "no cache" in done.stdout


@pytest.mark.slow  # every process imports torch
def test_threads_that_the_new_code_takes_away_are_its_own_doing(make: MakeRepository) -> None:
    repository = make()
    repository.package.write_text(
        PACKAGE.replace("0.02", "0.04") + "import torch\ntorch.set_num_threads(1)\n"
    )
    done = repository.run("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-confirm=0")
    assert done.returncode == 1, done.stdout
    assert "latency WORSE" in told(done)
