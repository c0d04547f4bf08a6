import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs import tempfolders, worktree
from pytest_pareto.runs.git import Tree, open_tree
from pytest_pareto.runs.tempfolders import own_prefix, prune_folders, prune_stale, run_folder
from pytest_pareto.runs.worktree import check_out
from tests.runs.conftest import Repository

HOLD = """
import sys, time
from pathlib import Path
from pytest_pareto.runs.git import open_tree, resolve
from pytest_pareto.runs.worktree import check_out

tree = open_tree(Path(sys.argv[1]))
with check_out(tree, resolve(tree, "HEAD~1")) as worktree:
    print(worktree.top, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(repository: Repository) -> Iterator[subprocess.Popen[str]]:
    """Another session that has checked the old code out and uses it."""
    command = [sys.executable, "-c", HOLD, str(repository.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as holder:
        yield holder
        holder.kill()


def held(holder: subprocess.Popen[str]) -> Path:
    assert holder.stdout is not None
    return Path(holder.stdout.readline().strip())


def read(tree: Tree) -> str:
    return (tree.root / "mypkg/core.py").read_text()


def test_the_old_code_is_outside_the_repository(repository: Repository, temp: Path) -> None:
    repository.write({"mypkg/core.py": "VALUE = 'dirty'\n", "untracked.py": ""})
    before = repository.state()
    with check_out(repository.tree, repository.resolve("HEAD~1")) as old:
        assert read(old) == "VALUE = 'old'\n"
        assert not (old.root / "untracked.py").exists()
        assert old.top.parent == temp
        assert read(repository.tree) == "VALUE = 'dirty'\n"
        assert str(old.top) in repository.git("worktree", "list")
        detached = subprocess.run(
            ["git", "-C", str(old.top), "symbolic-ref", "-q", "HEAD"], check=False
        )
        assert detached.returncode == 1
    assert repository.state() == before
    assert list(temp.iterdir()) == []


def test_the_project_may_be_a_folder_of_the_repository(repository: Repository) -> None:
    repository.commit({"packages/toy/mypkg/core.py": "VALUE = 'below'\n"})
    below = open_tree(repository.path / "packages/toy")
    with check_out(below, repository.resolve("HEAD")) as old:
        assert old.root == old.top / "packages/toy"
        assert read(old) == "VALUE = 'below'\n"
    before = repository.state()
    with (
        pytest.raises(ParetoError, match=r"HEAD~1 \(.*: there is no folder packages/toy at"),
        check_out(below, repository.resolve("HEAD~1")),
    ):
        pytest.fail("there is nothing to measure")
    assert repository.state() == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_repository_as_it_was(
    repository: Repository, temp: Path, error: type[BaseException]
) -> None:
    before = repository.state()

    def work() -> None:
        with check_out(repository.tree, repository.resolve("HEAD~1")) as old:
            (old.root / "mypkg/core.py").write_text("changed")
            (old.root / "built.so").touch()
            raise error

    with pytest.raises(error):
        work()
    assert repository.state() == before
    assert list(temp.iterdir()) == []


def test_the_users_hooks_do_not_run(repository: Repository, tmp_path: Path) -> None:
    hook = repository.path / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with check_out(repository.tree, repository.resolve("HEAD~1")):
        pass
    assert not (tmp_path / "ran").exists()
    repository.git("checkout", "--quiet", "--detach", "HEAD~1")
    assert (tmp_path / "ran").exists()  # the control


def test_a_hook_may_run_the_tests(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git sets repository variables for its hooks, which would affect the worktree's git too."""
    before = repository.state()
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository.path / ".git/index"))
    monkeypatch.setenv("GIT_DIR", str(repository.path / ".git"))
    with check_out(repository.tree, repository.resolve("HEAD~1")) as old:
        assert read(old) == "VALUE = 'old'\n"
    monkeypatch.delenv("GIT_INDEX_FILE")
    monkeypatch.delenv("GIT_DIR")
    assert repository.state() == before


def test_a_temp_folder_in_the_repository_is_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = repository.path / "tmp"
    inside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(inside))
    with (
        pytest.raises(ParetoError, match=r"lies inside the repository .*; set TMPDIR"),
        check_out(repository.tree, repository.resolve("HEAD~1")),
    ):
        pytest.fail("the old code would find the new")
    assert list(inside.iterdir()) == []


def test_a_failed_checkout_leaves_nothing(
    repository: Repository, temp: Path, git_config: Path
) -> None:
    repository.commit({".gitattributes": "*.bin filter=broken", "a.bin": "content"})
    with git_config.open("a") as config:
        config.write('[filter "broken"]\nclean = cat\nsmudge = false\nrequired = true\n')
    before = repository.state()
    with (
        pytest.raises(ParetoError, match=r"git worktree failed in (?s:.*)smudge filter"),
        check_out(repository.tree, repository.resolve("HEAD")),
    ):
        pytest.fail("there is no content")
    assert repository.state() == before
    assert list(temp.iterdir()) == []


def test_a_worktree_that_cannot_be_removed_is_reported(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree, "remove_worktree", lambda *_: False)
    with (
        pytest.raises(ParetoError, match=r"could not be removed; .*git worktree remove --force"),
        check_out(repository.tree, repository.resolve("HEAD~1")),
    ):
        pass


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_interrupt_does_not_stop_the_removal(
    repository: Repository, temp: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def impatient(tree: Tree, folder: Path) -> bool:
        signal.raise_signal(number)
        return tempfolders.remove_worktree(tree, folder)

    monkeypatch.setattr(worktree, "remove_worktree", impatient)
    heard = signal.signal(number, interrupt)
    before = repository.state()
    with check_out(repository.tree, repository.resolve("HEAD~1")):
        pass
    assert repository.state() == before
    assert list(temp.iterdir()) == []
    with pytest.raises(KeyboardInterrupt):  # the handler is restored
        signal.raise_signal(number)
    signal.signal(number, heard)


def test_it_works_outside_the_main_thread(repository: Repository) -> None:
    values = []

    def work() -> None:
        with check_out(repository.tree, repository.resolve("HEAD~1")) as old:
            values.append(read(old))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert values == ["VALUE = 'old'\n"]


# Sessions that were interrupted or killed


def test_ctrl_c_leaves_the_repository_as_it_was(
    repository: Repository, temp: Path, holder: subprocess.Popen[str]
) -> None:
    before = repository.state()
    assert held(holder).exists()
    assert repository.state() != before
    holder.send_signal(signal.SIGINT)
    assert holder.wait(10) in (-signal.SIGINT, 130)
    assert repository.state() == before
    assert list(temp.iterdir()) == []


def test_ctrl_c_while_git_checks_out_leaves_nothing(
    repository: Repository, temp: Path, git_config: Path, tmp_path: Path
) -> None:
    repository.commit({".gitattributes": "*.bin filter=slow", "a.bin": "content"})
    repository.commit({})
    with git_config.open("a") as config:
        config.write(f'[filter "slow"]\nclean = cat\nsmudge = "touch {tmp_path}/busy; sleep 60"\n')
    before = repository.state()
    session = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(repository.path)], stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "busy").exists():
        time.sleep(0.01)
    session.send_signal(signal.SIGINT)
    assert session.wait(10) != 0
    assert repository.state() == before
    assert list(temp.iterdir()) == []


def test_leftovers_of_a_killed_session_are_removed(
    repository: Repository, temp: Path, holder: subprocess.Popen[str]
) -> None:
    before = repository.state()
    left = held(holder)
    holder.kill()
    holder.wait()
    assert left.exists()
    with check_out(repository.tree, repository.resolve("HEAD~1")) as old:
        assert not left.exists()
        assert repository.git("worktree", "list").count("\n") == 2
        assert old.top != left
    assert repository.state() == before
    assert list(temp.iterdir()) == []


def test_a_leftover_entry_without_its_folder_is_removed(
    repository: Repository, temp: Path, holder: subprocess.Popen[str]
) -> None:
    """A reboot emptied the temp folder; git had locked the entry."""
    before = repository.state()
    left = held(holder)
    repository.git("worktree", "lock", str(left))
    holder.kill()
    holder.wait()
    left.rename(temp / "elsewhere")
    prune_stale(repository.tree)
    assert repository.state() == before


def test_a_running_session_keeps_its_worktree(
    repository: Repository, holder: subprocess.Popen[str]
) -> None:
    other = held(holder)
    with check_out(repository.tree, repository.resolve("HEAD~1")) as old:
        assert read(Tree(other, other)) == read(old)
    assert other.exists()


def test_worktrees_of_others_are_kept(repository: Repository, temp: Path) -> None:
    """Those of the user, and of a session on another machine that shares the files."""
    far = re.sub(r"-[0-9a-f]{8}-", "-00000000-", own_prefix(), count=1)
    others = [temp / "mine", temp / f"{far}x", temp / "pytest-pareto-ref-named-by-hand"]
    for other in others:
        repository.git("worktree", "add", "--quiet", "--detach", str(other))
    prune_stale(repository.tree)
    assert all(other.exists() for other in others)


def test_a_reused_process_id_does_not_protect_a_leftover(
    temp: Path, repository: Repository
) -> None:
    """This process has the id of an ended one, and another start time."""
    before = repository.state()
    born = re.sub(r"-\d+-$", "-1-x", own_prefix())
    repository.git("worktree", "add", "--quiet", "--detach", str(temp / born))
    (temp / f"{own_prefix()}y").mkdir()
    prune_stale(repository.tree)
    assert [left.name for left in temp.iterdir()] == [f"{own_prefix()}y"]
    assert repository.state() == before


def test_folders_of_runs_of_killed_sessions_are_removed(temp: Path) -> None:
    dead = re.sub(r"-\d+-$", "-1-x", own_prefix("run"))
    others = ["pytest-pareto-mine", "pytest-pareto-run-by-hand"]
    for name in (dead, *others):
        (temp / name / "run").mkdir(parents=True)
    with run_folder() as ours:
        prune_folders()
        assert sorted(left.name for left in temp.iterdir()) == sorted([*others, ours.name])
    assert sorted(left.name for left in temp.iterdir()) == others


def test_without_start_times_the_process_id_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_proc(self: Path, **_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_proc)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    assert own_prefix().endswith(f"-{os.getpid()}-0-")
    assert tempfolders._is_stale(own_prefix()) is False
    assert tempfolders._is_stale(own_prefix().replace(f"-{os.getpid()}-", f"-{gone.pid}-")) is True
