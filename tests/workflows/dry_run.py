"""A pull request, dry: a gated project, a trade beyond its bound, and how it gets green.

    python -m tests.workflows.dry_run

The steps of `docs/workflows/pull_request.yml` and of `action.yml` are run in order, here, in a git
repository that is made for it. `gh` and `pip install` only write down what they were asked.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.plugin.command_line import REPORTS
from tests.plugin.conftest import ALONE, SIMULATED_CLOCK, WORLD, write_toy
from tests.workflows.runner import ROOT, Job, run_job

WORKFLOWS = ROOT / "docs" / "workflows"
TRADED, FASTER = "test_toy.py::test_generate[large]", "test_toy.py::test_generate[medium]"
CANDIDATE = ".pareto_candidate"
_CONFIGURED = "[pytest]\npareto_confirm = 2\naddopts = -p no:cov -p no:cacheprovider\n"
_PYTHON = """#!/usr/bin/env bash
asked="$(dirname "$0")/../asked.log"
if [ "$1 $2 $3" = "-m pip install" ]; then echo "pip $*" >> "$asked"; exit 0; fi
exec "PYTHON" "$@"
"""
_GH = """#!/usr/bin/env bash
echo "gh $*" >> "$(dirname "$0")/../asked.log"
# Which pull request is at a commit, and which comment is there already.
[[ "$*" != *"-X GET"* ]] || echo "$FAKE_PR"
[[ "$*" != *"--paginate"* ]] || echo "$FAKE_OLD"
"""


@dataclass
class Repository:
    """A project in git, with a baseline, and what runs its jobs."""

    path: Path
    home: Path
    jobs: int = 0

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
        command = ["git", *who, *words]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout

    def change(self, **variants: dict[str, float]) -> None:
        world = json.loads((self.path / "world.json").read_text())
        for name, facts in variants.items():
            world[name] |= facts
        (self.path / "world.json").write_text(json.dumps(world))

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "PYTEST_"))}
        kept.pop("CI", None)
        path = [str(self.home / "bin"), str(Path(sys.executable).parent), kept.get("PATH", "")]
        return {**kept, "PATH": os.pathsep.join(path), "PYTHONPATH": str(ROOT), **ALONE}

    def job(
        self, args: str = ".", name: str = "pull_request", install: str = "", **more: str
    ) -> Job:
        """Run a workflow's job on a fresh clone of the newest commit; ``args`` are pytest's."""
        self.jobs += 1
        workspace = self.home / f"checkout-{self.jobs}"
        self.git("clone", "--quiet", str(self.path), str(workspace))
        context = {
            "github.event.pull_request.head.repo.full_name": "somebody/project",
            "github.repository": "somebody/project",
            "github.event.pull_request.number": "7",
            "github.event.pull_request.head.sha": "1" * 40,
            "github.server_url": "https://forge.example",
            "github.run_id": "11",
            "github.run_attempt": "1",
            "github.token": "none",
            **more,
        }
        temp = self.home / f"runner-{self.jobs}"
        workflow = _workflow(
            WORKFLOWS / f"{name}.yml", self.home, {"args": args, "install": install}
        )
        return run_job(workflow, workspace, temp, self.environment, context)

    def asked(self) -> list[str]:
        """What `gh` and `pip` were asked for."""
        return (self.home / "asked.log").read_text().splitlines()

    def accept(self, job: Job, *words: str) -> subprocess.CompletedProcess[str]:
        """Accept from the job's artifact, at a desk."""
        folder = job.artifacts / "pareto" / CANDIDATE
        command = [sys.executable, "-m", "pytest_pareto", "accept", str(folder), *words]
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


def _workflow(file: Path, home: Path, inputs: dict[str, str]) -> Path:
    """Return a workflow with other inputs, asking for the reports that this version has."""
    known = " ".join(
        kind for kind in ("html", "json", "markdown", "openmetrics") if kind in REPORTS
    )
    given = (f"{name}: {json.dumps(text)}" for name, text in {**inputs, "reports": known}.items())
    text = file.read_text().replace("args: tests", "\n          ".join(given))
    workflow = home / "workflow.yml"
    workflow.write_text(text)
    return workflow


def make_repository(home: Path, baseline: Path | None = None) -> Repository:
    """Make a project with a committed baseline; one that was recorded already may be copied."""
    project = home / "project"
    (home / "bin").mkdir(parents=True)
    project.mkdir()
    (home / "asked.log").touch()
    for name, text in (("python", _PYTHON), ("gh", _GH)):
        file = home / "bin" / name
        file.write_text(text.replace("PYTHON", sys.executable))
        file.chmod(0o755)
    write_toy(project, SIMULATED_CLOCK)
    (project / "pytest.ini").write_text(_CONFIGURED)
    (project / ".gitignore").write_text("__pycache__/\n")  # as every project of Python has
    repository = Repository(project, home)
    if baseline is None:
        command = [sys.executable, "-m", "pytest", "--pareto", "--pareto-update", "-q"]
        subprocess.run(command, cwd=project, env=repository.environment, check=True)
    else:
        shutil.copytree(baseline, project / "pareto_baselines")
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit("A project with a baseline")
    repository.git("checkout", "--quiet", "-b", "faster")
    return repository


def plant_a_trade(repository: Repository) -> None:
    """Make one case faster for far more accuracy than it may give up, and another one faster."""
    large, medium = WORLD["large"], WORLD["medium"]
    repository.change(
        large={"seconds": large["seconds"] / 2, "accuracy": large["accuracy"] - 0.1},
        medium={"seconds": medium["seconds"] / 2},
    )
    repository.commit("Half the steps")


def main() -> None:
    """Tell the story."""
    with tempfile.TemporaryDirectory() as folder:
        repository = make_repository(Path(folder))
        _say("the branch it is from", repository.job())
        plant_a_trade(repository)
        red = repository.job()
        _say("with a trade beyond its bound", red)
        print(red.summary, *red.annotations, sep="\n")
        _show(repository.accept(red, FASTER, "--reason", "half the steps"))
        repository.commit("Accept another case")
        _say("with another case accepted", repository.job())
        _show(repository.accept(red, TRADED, "--reason", "half the steps, as agreed"))
        repository.commit("Accept the trade")
        print(repository.git("show", "--stat", "--format=%s"))
        _say("with the trade accepted", repository.job())


def _show(done: subprocess.CompletedProcess[str]) -> None:
    print("$ pytest-pareto accept ...", done.stdout, done.stderr, sep="\n")


def _say(what: str, job: Job) -> None:
    verdict = job.context.get("steps.pareto.outputs.verdict")
    colour = "red" if job.failed else "green"
    print(f"\n=== {what}: {colour}, verdict {verdict}; ran: {job.ran}\n")


if __name__ == "__main__":
    main()
