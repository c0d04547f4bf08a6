"""Builders of baselines with defaults for everything that a test does not specify."""

import os
from collections.abc import Callable
from statistics import fmean
from typing import Any

import pytest

from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Scope

GPU = Environment(
    cpu_model="AMD EPYC 9554",
    usable_cores=16,
    threads=16,
    gpu_product="NVIDIA H200",
    gpu_count=1,
    power_limits_w=(700.0,),
    boards=("1f3a",),
    software={"torch": "2.13.0", "python": "3.12.4"},
)
E1 = environment_key(GPU)

_PRESETS: dict[str, dict[str, Any]] = {
    "latency": {"unit": "s", "kind": Kind.RUN, "scope": Scope.HOST},
    "energy": {"unit": "J", "kind": Kind.RUN, "scope": Scope.GPU},
    "peak_memory": {"unit": "B", "kind": Kind.EXACT, "scope": Scope.GPU},
    "flops": {"unit": "count", "kind": Kind.EXACT, "scope": Scope.ANYWHERE},
    "accuracy": {"unit": "", "kind": Kind.PAIRED, "scope": Scope.GPU, "better": Better.HIGHER},
}


@pytest.fixture
def gpu() -> Environment:
    """The machine of all builders."""
    return GPU


@pytest.fixture
def history() -> Callable[..., MetricHistory]:
    """Build a `MetricHistory` from a preset's name, its runs per session, and overrides."""
    return _history


def _history(name: str, *sessions: tuple[float, ...], **other: Any) -> MetricHistory:
    epochs = other.pop("epochs", (0,) * len(sessions))
    env = other.pop("env", E1)
    facts: dict[str, Any] = {"better": Better.LOWER} | _PRESETS[name]
    if facts["kind"].sampled:
        # Their mean is the level, as in every file.
        level = fmean(sessions[-1]) if sessions and sessions[-1] else 0.625
        facts["samples"] = Samples(("a", "b"), (level - 0.125, level + 0.125))
    return MetricHistory(
        sessions=tuple(Session(env, e, runs) for e, runs in zip(epochs, sessions, strict=True)),
        **facts | other,
    )


@pytest.fixture
def case() -> Callable[..., CaseHistory]:
    """Build a `CaseHistory` from a case id and its metrics."""

    def build(case_id: str, front: str = "f", source: str = "s", **metrics: Any) -> CaseHistory:
        return CaseHistory(case_id, front, source, metrics)

    return build


@pytest.fixture
def baseline() -> Callable[..., Baseline]:
    """Build a `Baseline` of cases measured on the GPU machine."""

    def build(*cases: CaseHistory, **environments: Environment) -> Baseline:
        return Baseline("nvidia-h200x1", {c.case_id: c for c in cases}, {E1: GPU} | environments)

    return build


@pytest.fixture
def fail_at(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, int, BaseException], Callable[[], int]]:
    """Make the n-th call of an os function fail; return a counter of its calls."""

    def fail(name: str, call: int, error: BaseException) -> Callable[[], int]:
        real = getattr(os, name)
        calls = 0

        def patched(*arguments: Any, **keywords: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                raise error
            return real(*arguments, **keywords)

        monkeypatch.setattr(os, name, patched)
        return lambda: calls

    return fail
