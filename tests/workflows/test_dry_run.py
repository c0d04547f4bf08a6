"""The dry run of a pull request, step by step; and what the workflows must not do."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plugin.conftest import SIMULATED_CLOCK, record_toy_baseline
from tests.workflows.dry_run import (
    CANDIDATE,
    FASTER,
    TRADED,
    Repository,
    make_repository,
    plant_a_trade,
)
from tests.workflows.runner import OURS, ROOT, Job, filled, true

WORKFLOWS = sorted((ROOT / "docs" / "workflows").glob("*.yml"))
MARK = "<!-- pytest-pareto -->"
RUN = "https://forge.example/somebody/project/actions/runs"
FORK = {"github.event.pull_request.head.repo.full_name": "a-fork/project"}
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, Job]:
    """A branch with a trade beyond its bound, after its job."""
    baseline = record_toy_baseline(tmp_path_factory.mktemp("recorded"), SIMULATED_CLOCK)
    repository = make_repository(tmp_path_factory.mktemp("dry"), baseline)
    plant_a_trade(repository)
    return repository, repository.job()


@pytest.fixture
def branch(red: tuple[Repository, Job], tmp_path: Path) -> tuple[Repository, Job]:
    """The same branch, to be changed at will."""
    home = tmp_path / "home"
    shutil.copytree(red[0].home, home)
    return Repository(home / "project", home, jobs=red[0].jobs), red[1]


def test_a_trade_beyond_its_bound_is_red_with_all_there_is_to_see(
    red: tuple[Repository, Job],
) -> None:
    repository, job = red
    assert job.failed
    assert job.context["steps.pareto.outputs.verdict"] == "fail"
    assert job.summary.startswith("## pareto: FAIL\n\n**1 of 3 cases regressed**")
    assert job.summary.count("## pareto") == 1
    (annotation,) = job.annotations
    assert annotation.startswith("::error file=test_toy.py,line=")
    assert TRADED in annotation
    kept = {p.relative_to(job.artifacts).as_posix() for p in job.artifacts.rglob("*.*")}
    assert {
        "pareto/pareto_reports/comment.md",
        "pareto/pareto_reports/junit.xml",
        f"pareto/{CANDIDATE}/session/candidate.json",
    } <= kept
    comment = (job.artifacts / "pareto" / "pareto_reports" / "comment.md").read_text()
    assert comment in job.summary
    asked = repository.asked()
    assert f"pip -m pip install -r requirements.txt git+https://github.com/{OURS}@SHA" in asked
    assert any(line.startswith("gh api repos/somebody/project/issues/7/comments") for line in asked)
    posted = (job.temp / "comment.md").read_text()
    assert posted == f"{MARK}\nOf {'1' * 40}, by [this run]({RUN}/11).\n\n{comment}"


def test_nothing_of_a_job_is_to_be_committed(red: tuple[Repository, Job]) -> None:
    repository, job = red
    assert Repository(job.workspace, repository.home).git("status", "--porcelain") == ""


def test_accepted_from_the_artifact_it_is_green(branch: tuple[Repository, Job]) -> None:
    repository, job = branch
    done = repository.accept(job, TRADED, "--reason", "half the steps, as agreed")
    assert done.returncode == 0, done.stderr
    assert f"accept-worse: {TRADED} accuracy (0.95 → 0.85, " in done.stdout
    changed = repository.git("diff", "--unified=0")
    assert changed.count('"reason": "half the steps, as agreed"') == 2  # accuracy and latency
    assert repository.git("status", "--porcelain").count("\n") == 2  # the module, the environment
    repository.commit("Accept the trade")
    again = repository.job()
    assert not again.failed, again.stdout
    assert again.context["steps.pareto.outputs.verdict"] == "pass"
    assert again.annotations == []


def test_with_nothing_or_another_case_accepted_it_stays_red(
    branch: tuple[Repository, Job],
) -> None:
    repository, job = branch
    done = repository.accept(job, FASTER, "--reason", "half the steps")
    assert done.returncode == 0, done.stderr
    assert "accept-better" in done.stdout
    repository.commit("Accept another case")
    again = repository.job()
    assert again.failed
    assert TRADED in again.stdout
    assert FASTER not in "".join(again.annotations)


def test_a_fork_fails_unmeasured_where_nothing_of_this_machine_runs(
    branch: tuple[Repository, Job],
) -> None:
    """Neither on a runner of one's own, nor green: a skipped job would pass a required check."""
    repository, own = branch
    assert own.runs_on == '["self-hosted", "gpu"]'
    before = repository.asked()
    job = repository.job(**FORK)
    assert job.runs_on == "ubuntu-latest"
    assert job.failed
    assert job.ran == ["Fail for a fork"]
    assert job.stdout.startswith("::error::Nothing was measured: this pull request is from a fork.")
    assert repository.asked() == before


def forks_comment(repository: Repository, measured: Job, **more: str) -> Job:
    context = {
        "artifacts": str(measured.artifacts),
        "github.event.workflow_run.event": "pull_request",
        "github.event.workflow_run.id": "5",
        "github.event.workflow_run.run_attempt": "1",
        "github.event.workflow_run.conclusion": "failure",
        "github.event.workflow_run.head_repository.full_name": "a-fork/project",
        "github.event.workflow_run.head_repository.owner.login": "a-fork",
        "github.event.workflow_run.head_branch": "faster",
        "github.event.workflow_run.head_sha": "0" * 40,
    }
    return repository.job(name="fork_comment", **{**context, **more})


def test_a_forks_comment_is_posted_where_github_says(
    branch: tuple[Repository, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the open pull request at the commit that was measured, if there is one."""
    repository, _ = branch
    measured = repository.job(name="fork_measure", **FORK)
    assert measured.failed
    for number in ("7", ""):
        before = len(repository.asked())
        monkeypatch.setenv("FAKE_PR", number)
        told = forks_comment(repository, measured)
        assert not told.failed, told.stdout
        asked = repository.asked()[before:]
        assert asked[0].startswith("gh api -X GET repos/somebody/project/pulls -f state=open")
        assert "head=a-fork:faster" in asked[0]
        posted = [line for line in asked if "-F body=@" in line]
        assert len(posted) == bool(number)
        if number:
            assert posted[0].startswith("gh api repos/somebody/project/issues/7/comments ")
            assert (
                (told.temp / "comment.md")
                .read_text()
                .startswith(
                    f"{MARK}\nOf {'0' * 40}, as the fork's own code reports it in "
                    f"[this run]({RUN}/5).\n\n## pareto: FAIL"
                )
            )


def test_only_forks_are_measured_and_told_by_their_workflows(
    branch: tuple[Repository, Job],
) -> None:
    repository, job = branch
    before = repository.asked()
    assert repository.job(name="fork_measure").ran == []
    same = {"github.event.workflow_run.head_repository.full_name": "somebody/project"}
    for more in (
        same,
        {"github.event.workflow_run.conclusion": "skipped"},
        {"github.event.workflow_run.conclusion": "action_required"},
        {"github.event.workflow_run.event": "push"},
    ):
        assert forks_comment(repository, job, **more).ran == []
    assert repository.asked() == before


def test_a_forks_link_is_not_followed(
    branch: tuple[Repository, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, job = branch
    monkeypatch.setenv("FAKE_PR", "7")
    (tmp_path / "secret").write_text("## pareto: PASS")
    kept = tmp_path / "artifacts" / "pareto-comment-1"
    kept.mkdir(parents=True)
    (kept / "comment.md").symlink_to(tmp_path / "secret")
    told = forks_comment(repository, job, artifacts=str(kept.parent))
    assert not told.failed, told.stdout
    posted = (told.temp / "comment.md").read_text()
    assert "PASS" not in posted
    assert posted.endswith(f"Nothing was judged at {'0' * 40}: see [the run]({RUN}/5).\n")


@pytest.mark.parametrize("fork", [False, True])
def test_an_older_verdict_does_not_stand_where_nothing_was_judged(
    branch: tuple[Repository, Job], monkeypatch: pytest.MonkeyPatch, fork: bool
) -> None:
    """Also where an earlier run left its reports in the checkout, as on a runner that is kept."""
    repository, _ = branch
    monkeypatch.setenv("FAKE_PR", "7")
    monkeypatch.setenv("FAKE_OLD", "99")
    for name, text in (("pareto_reports/comment.md", "## pareto: PASS"), ("conftest.py", "1 +")):
        file = repository.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    repository.commit("Break the tests")
    job = repository.job(**FORK, name="fork_measure") if fork else repository.job()
    assert job.failed
    assert job.context["steps.pareto.outputs.verdict"] == "error"
    told = forks_comment(repository, job) if fork else job
    sha, run = ("0" * 40, "5") if fork else ("1" * 40, "11")
    assert (told.temp / "comment.md").read_text() == (
        f"{MARK}\n## pareto: nothing was judged\n\n"
        f"Nothing was judged at {sha}: see [the run]({RUN}/{run}).\n"
    )
    assert repository.asked()[-1].startswith("gh api -X PATCH repos/somebody/project/issues/comm")


def test_older_reports_are_gone_where_not_even_pip_comes_to_an_end(
    branch: tuple[Repository, Job],
) -> None:
    repository, _ = branch
    (repository.path / "pareto_reports").mkdir()
    (repository.path / "pareto_reports" / "comment.md").write_text("## pareto: PASS")
    repository.commit("Stand for a runner that is kept")
    job = repository.job(install="'open")
    assert job.failed
    assert job.ran[-2:] == ["Install", "Comment"]
    assert not (job.workspace / "pareto_reports").exists()
    assert "nothing was judged" in (job.temp / "comment.md").read_text()


def test_quotes_that_do_not_match_run_no_test(branch: tuple[Repository, Job]) -> None:
    repository, _ = branch
    run = repository.job(args="-k 'open")
    assert run.failed
    assert "No closing quotation" in run.stdout
    assert "test session starts" not in run.stdout


def test_what_an_input_holds_is_never_run(branch: tuple[Repository, Job]) -> None:
    repository, _ = branch
    run = repository.job(args='-k "$(touch hacked)" `touch hacked`; touch hacked')
    assert not (run.workspace / "hacked").exists()
    assert run.context["steps.pareto.outputs.verdict"] == "error"


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "runs" in document:
        return list(document["runs"]["steps"])
    jobs = [job for job in document.get("jobs", {}).values() if isinstance(job, dict)]
    return [step for job in jobs for step in job["steps"]]


def test_a_process_that_ends_by_itself_is_no_pass(branch: tuple[Repository, Job]) -> None:
    repository, _ = branch
    test = repository.path / "test_zz.py"
    test.write_text("import os\n\ndef test_it():\n    os._exit(0)\n")
    repository.commit("It ends the process")
    job = repository.job()
    assert job.failed
    assert job.context["steps.pareto.outputs.verdict"] == "error"
    assert any(
        line.startswith("::error::pytest ended with exit code 0 and did not write pareto_reports/")
        for line in job.annotations
    )


@pytest.mark.parametrize("file", [ROOT / "action.yml", *WORKFLOWS], ids=lambda file: file.name)
def test_actions_are_pinned_and_scripts_hold_no_expression(file: Path) -> None:
    for step in steps_of(yaml.safe_load(file.read_text())):
        used = step.get("uses", "")
        assert not used or PINNED.fullmatch(used) or used.startswith(f"{OURS}@")
        assert "${{" not in step.get("run", "")


def test_the_workflow_that_writes_comments_on_forks_runs_nothing_of_them() -> None:
    """It comes from the default branch; the one that measures comes from the fork itself.

    Of that one only what GitHub gives a fork's run holds, and what the repository's settings say.
    """
    measure, comment = (
        yaml.safe_load((ROOT / "docs" / "workflows" / f"fork_{name}.yml").read_text())
        for name in ("measure", "comment")
    )
    assert measure["permissions"] == {"contents": "read"}
    assert "permissions" not in measure["jobs"]["measure-fork"]
    assert list(comment[True]) == ["workflow_run"]  # YAML reads `on` as true
    assert comment["permissions"] == {}
    assert comment["jobs"]["comment"]["permissions"] == {
        "actions": "read",
        "pull-requests": "write",
    }
    used = [step.get("uses", "") for step in steps_of(comment)]
    assert not any("checkout" in name or name.startswith(OURS) for name in used)
    same = yaml.safe_load((ROOT / "docs" / "workflows" / "pull_request.yml").read_text())
    jobs = [*same["jobs"], *measure["jobs"], *comment["jobs"]]
    assert len(set(jobs)) == len(jobs)  # a required check is chosen by its job's name


def test_the_plugin_and_the_action_call_no_forge() -> None:
    files = [ROOT / "action.yml", *(ROOT / "pytest_pareto").rglob("*.py")]
    for file in files:
        assert not re.search(r"\bgh api\b|api\.github|urlopen|requests\.|httpx", file.read_text())


def test_the_runner_reads_expressions() -> None:
    context = {"a.b": "x", "c": ""}
    assert filled("-${{ a.b }}-${{ steps.no.outputs.y }}-", context) == "-x--"
    assert true("always() && a.b == 'x'", context)
    assert not true("a.b != 'x'", context)
    assert filled("${{ c && 'yes' || fromJSON('[1, 2]') }}", context) == "[1, 2]"
    assert filled("${{ c && 'yes' || 'no' }}", context) == "no"
    with pytest.raises(AssertionError, match="unknown name"):
        true("d == ''", context)
