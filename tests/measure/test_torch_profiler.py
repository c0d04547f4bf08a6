import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.meters.device_time import read_activity
from pytest_pareto.measure.torch_profiler import (
    profile_calls,
    profiling_absence,
    runs_own_profiler,
)

DETACH = "TEARDOWN_CUPTI"


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DETACH, "1")  # so that changes by a test are undone
    monkeypatch.delenv(DETACH)


class TestAbsence:
    @pytest.mark.usefixtures("without_torch")
    def test_without_torch_there_is_nothing_to_profile(self) -> None:
        assert profiling_absence() == "no CUDA device was used"

    def test_without_cuda_neither(self, fake_torch: Any) -> None:
        assert profiling_absence() is None
        fake_torch.cuda.initialized = False
        assert profiling_absence() == "no CUDA device was used"

    def test_an_active_profiler_is_not_disturbed(self, fake_torch: Any) -> None:
        fake_torch.autograd._profiler_enabled = lambda: True
        assert profiling_absence() == "a torch profiler is active already; run without it"

    @pytest.mark.parametrize("cuda", ["11.8", "12.4", "12.5"])
    def test_a_cuda_that_cannot_be_left_safely_is_not_entered(
        self, fake_torch: Any, cuda: str
    ) -> None:
        fake_torch.version.cuda = cuda
        reason = profiling_absence()
        assert reason is not None
        assert reason.startswith(f"torch built for CUDA {cuda} leaves the profiler attached")
        assert f"set {DETACH}=1 if nothing here uses CUDA graphs" in reason

    @pytest.mark.parametrize("cuda", ["12.6", "12.8", "13.0", "13"])
    def test_later_ones_can(self, fake_torch: Any, cuda: str) -> None:
        fake_torch.version.cuda = cuda
        assert profiling_absence() is None

    @pytest.mark.parametrize("cuda", ["12.4", "13.0"])
    @pytest.mark.parametrize("user_choice", ["1", "0"])
    def test_what_the_user_chose_goes_before_the_version(
        self, fake_torch: Any, monkeypatch: pytest.MonkeyPatch, cuda: str, user_choice: str
    ) -> None:
        monkeypatch.setenv(DETACH, user_choice)
        fake_torch.version.cuda = cuda
        reason = profiling_absence()
        if user_choice == "1":
            assert reason is None
        else:
            assert reason is not None
            assert reason.startswith(f"{DETACH}=0 leaves the profiler attached")

    def test_rocm_was_never_tried(self, fake_torch: Any) -> None:
        fake_torch.version = SimpleNamespace(cuda=None, hip="7.1")
        reason = profiling_absence()
        assert reason is not None
        assert reason.startswith("on ROCm torch's traces were never tried")


class TestAProfile:
    """With the real profiler, which traces the processor on a machine without a GPU."""

    @pytest.fixture
    def torch(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        torch = pytest.importorskip("torch")
        profiler = torch.profiler
        seen = SimpleNamespace(CUDA=profiler.ProfilerActivity.CPU)
        monkeypatch.setattr(profiler, "ProfilerActivity", seen)
        return torch

    @pytest.fixture(autouse=True)
    def _temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def test_the_window_is_traced_and_what_settles_before_it_is_not(
        self, torch: Any, tmp_path: Path
    ) -> None:
        x = torch.ones(8, 8)
        journal: list[str] = []

        def settle() -> None:
            journal.append("settle")
            torch.sin(x)

        def window() -> None:
            journal.append("window")
            torch.cos(x)

        trace = profile_calls(settle, window)
        assert journal == ["settle", "window"]
        assert b"aten::cos" in trace
        assert b"aten::sin" not in trace
        assert read_activity(trace).kernels == 0
        assert list(tmp_path.glob("pytest-pareto-*")) == []

    def test_the_profiler_is_set_to_detach(
        self, torch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reported: list[str | None] = []
        profile_calls(lambda: reported.append(os.environ.get(DETACH)), lambda: None)
        monkeypatch.setenv(DETACH, "0")
        profile_calls(lambda: reported.append(os.environ.get(DETACH)), lambda: None)
        assert reported == ["1", "0"]  # the user's choice stays

    @pytest.mark.parametrize("stage", ["settle", "window"])
    def test_an_exception_passes_and_ends_the_profile(
        self, torch: Any, tmp_path: Path, stage: str
    ) -> None:
        def fail() -> None:
            assert list(tmp_path.glob("pytest-pareto-*")) != []
            raise KeyError(stage)

        def work() -> None:
            torch.ones(8)

        stages = (fail, work) if stage == "settle" else (work, fail)
        with pytest.raises(KeyError, match=stage):
            profile_calls(*stages)
        assert not torch.autograd._profiler_enabled()
        assert list(tmp_path.glob("pytest-pareto-*")) == []


class TestProfilesItself:
    def test_a_function_that_does_is_found(self) -> None:
        torch = pytest.importorskip("torch")

        def with_torch_profiler() -> None:
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
                torch.ones(8)

        def with_a_schedule() -> None:
            schedule = torch.profiler.schedule(wait=0, warmup=1, active=1)
            with torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CPU], schedule=schedule
            ):
                torch.ones(8)

        def with_the_old_one() -> None:
            with torch.autograd.profiler.profile():
                torch.ones(8)

        for function in (with_torch_profiler, with_a_schedule, with_the_old_one):
            assert runs_own_profiler(function), function.__name__

    def test_others_are_not_and_nothing_is_left_behind(self) -> None:
        torch = pytest.importorskip("torch")
        profile = torch.autograd.profiler.profile
        before = profile.__enter__, profile._prepare_trace
        calls: list[int] = []
        assert not runs_own_profiler(lambda: calls.append(1))
        with pytest.raises(KeyError):
            runs_own_profiler({}.popitem)
        assert calls == [1]
        assert (profile.__enter__, profile._prepare_trace) == before
