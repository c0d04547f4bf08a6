import sys
from collections.abc import Iterator
from types import FrameType, SimpleNamespace

import pytest

from pytest_pareto.measure.call import active_tracer


@pytest.fixture(autouse=True)
def _untraced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run without a tracer, even where these tests are run under coverage."""
    tracer, profiler = sys.gettrace(), sys.getprofile()
    monkeypatch.setattr(sys, "monitoring", SimpleNamespace(get_tool=lambda _: None), raising=False)
    sys.settrace(None)
    sys.setprofile(None)
    yield
    sys.settrace(tracer)
    sys.setprofile(profiler)


def _ignore(frame: FrameType, event: str, arg: object) -> None:
    return None


def test_no_tracer_no_reason() -> None:
    assert active_tracer() is None


def test_a_trace_function_is_seen() -> None:
    sys.settrace(_ignore)
    found = active_tracer()
    sys.settrace(None)
    assert found == "a tracer is active (coverage or a debugger); run without --cov"


def test_a_profile_function_is_seen() -> None:
    sys.setprofile(_ignore)
    found = active_tracer()
    sys.setprofile(None)
    assert found == "a profiler is active (sys.setprofile); run without it"


def test_a_monitoring_tool_is_seen_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = [None, "coverage.py", None, None, None, None]
    monkeypatch.setattr(
        sys, "monitoring", SimpleNamespace(get_tool=tools.__getitem__), raising=False
    )
    found = active_tracer()
    assert found is not None
    assert "(coverage.py)" in found


def test_python_without_monitoring_has_no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "monitoring")
    assert active_tracer() is None
