"""A job of GitHub Actions, run here: its shell steps by bash, its actions by what they leave.

It knows as much of the language of workflows as this project's use, and refuses the rest.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OURS = "OWNER/pytest-pareto"
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_QUIET = ("actions/checkout", "actions/setup-python")
_QUOTED = re.compile(r"(?:fromJSON\()?'([^']*)'\)?")
_PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")

Context = dict[str, str]
"""Values by the whole dotted name that expressions ask for."""


@dataclass
class Job:
    """What a job did: where it ran, whether it failed, what it printed, and what it left."""

    workspace: Path
    temp: Path
    environment: Mapping[str, str]
    context: Context = field(default_factory=dict)
    failed: bool = False
    stdout: str = ""
    ran: list[str] = field(default_factory=list)
    runs_on: str = ""
    """The labels of its runner; empty where the job was skipped."""

    @property
    def artifacts(self) -> Path:
        return self.temp / "artifacts"

    @property
    def summary(self) -> str:
        return (self.temp / "summary.md").read_text()

    @property
    def annotations(self) -> list[str]:
        return [line for line in self.stdout.splitlines() if line.startswith("::")]


def run_job(
    workflow: Path, workspace: Path, temp: Path, environment: Mapping[str, str], context: Context
) -> Job:
    """Run the only job of a workflow in a checkout, as its runner would."""
    (job,) = yaml.safe_load(workflow.read_text())["jobs"].values()
    temp.mkdir(parents=True)
    (temp / "summary.md").touch()
    done = Job(workspace, temp, environment, {"runner.temp": str(temp), **context})
    if "if" in job and not true(job["if"], done.context):
        return done
    done.runs_on = filled(str(job["runs-on"]), done.context)
    _run_steps(done, job["steps"], done.context)
    return done


def _run_steps(job: Job, steps: list[dict[str, Any]], context: Context) -> None:
    for step in steps:
        condition = str(step.get("if", "success()"))
        if job.failed and "always()" not in condition:
            continue
        if not true(condition, context):
            continue
        job.ran.append(step.get("name") or step.get("uses") or "")
        if "run" in step:
            _run_shell(job, step, context)
        else:
            _use(job, step, context)


def _run_shell(job: Job, step: dict[str, Any], context: Context) -> None:
    assert step["shell"] == "bash"
    script, output = job.temp / "step.sh", job.temp / "output"
    script.write_text(filled(step["run"], context))
    output.write_text("")
    env = {name: filled(str(value), context) for name, value in step.get("env", {}).items()}
    github = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(job.workspace),
        "GITHUB_STEP_SUMMARY": str(job.temp / "summary.md"),
        "GITHUB_OUTPUT": str(output),
        "RUNNER_TEMP": str(job.temp),
    }
    cwd = job.workspace / filled(step.get("working-directory", "."), context)
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**job.environment, **github, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    job.stdout += done.stdout
    job.failed = job.failed or done.returncode != 0
    for line in output.read_text().splitlines():
        name, _, value = line.partition("=")
        context[f"steps.{step.get('id')}.outputs.{name}"] = value


def _use(job: Job, step: dict[str, Any], context: Context) -> None:
    action = step["uses"].partition("@")[0]
    given = {name: filled(_text(told), context) for name, told in step.get("with", {}).items()}
    if action == OURS:
        _run_composite(job, step, given, context)
        return
    assert _PINNED.fullmatch(step["uses"]), f"not pinned: {step['uses']}"
    if action == "actions/upload-artifact":
        _keep(job, given)
    elif action == "actions/download-artifact":
        kept = Path(context["artifacts"], given["name"])
        assert kept.is_dir() or step.get("continue-on-error") is True
        if kept.is_dir():
            shutil.copytree(kept, given["path"], symlinks=True)
    else:
        assert action in _QUIET, f"unknown action {action}"


def _run_composite(job: Job, step: dict[str, Any], given: dict[str, str], outer: Context) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert set(given) <= set(action["inputs"])
    inputs = {name: given.get(name, about["default"]) for name, about in action["inputs"].items()}
    inner = {**outer, **{f"inputs.{name}": value for name, value in inputs.items()}}
    _run_steps(job, action["runs"]["steps"], inner)
    for name, about in action["outputs"].items():
        outer[f"steps.{step.get('id')}.outputs.{name}"] = filled(about["value"], inner)


def _keep(job: Job, given: dict[str, str]) -> None:
    """Copy what an artifact holds, below what its paths have in common, hidden files as told."""
    paths = [Path(line.strip()) for line in given["path"].splitlines() if line.strip()]
    there = [path for path in paths if path.exists()]
    top = Path(os.path.commonpath(paths)) if len(paths) > 1 else None
    hidden = given.get("include-hidden-files") == "true"
    for path in there:
        for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
            below = file.relative_to(top or (path if path.is_dir() else path.parent))
            if file.is_file() and (hidden or not any(p[0] == "." for p in below.parts)):
                target = job.artifacts / given["name"] / below
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def _text(told: object) -> str:
    """Return a value of YAML as an action gets it."""
    return str(told).lower() if isinstance(told, bool) else str(told)


def filled(text: str, context: Context) -> str:
    """Put in what expressions come to."""
    return _EXPRESSION.sub(lambda found: value(found[1], context), text)


def true(condition: str, context: Context) -> bool:
    """Tell whether a condition holds; it needs no braces."""
    text = _EXPRESSION.sub(lambda found: found[1], str(condition))
    return value(text, context) not in ("", "false")


def value(expression: str, context: Context) -> str:
    """Return what an expression of the small language comes to, as text."""
    text = expression.strip()
    if " || " in text:
        left, _, right = text.partition(" || ")
        return value(left, context) if true(left, context) else value(right, context)
    if " && " in text:
        left, _, right = text.partition(" && ")
        return value(right, context) if true(left, context) else "false"
    for sign in ("!=", "=="):
        if sign in text:
            left, _, right = text.partition(sign)
            same = value(left, context) == value(right, context)
            return str(same == (sign == "==")).lower()
    if text in ("always()", "success()"):
        return "true"
    if found := _QUOTED.fullmatch(text):
        return found[1]
    assert re.fullmatch(r"[\w.-]+", text), f"unknown expression {text}"
    assert text.startswith("steps.") or text in context, f"unknown name {text}"
    return context.get(text, "")
