"""Work of the host, counted: Python functions entered, C functions called, operations dispatched.

`HostWorkMeter` counts in steady calls of their own. `count_calls` counts what a call enters and
calls, by ``sys.monitoring``, or by ``sys.setprofile`` before Python 3.12. `count_dispatches` counts
what torch dispatches in it.

The counts depend on the software, and neither on the speed of the host nor on chance. Excluded is
what would depend on them: what garbage collection runs, other threads, and the functions of tqdm,
which redraws a progress bar whenever a tenth of a second has passed.
"""

import gc
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from pytest_pareto.measure.call import active_tracer, skip_in_compiler
from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.loop import warm_up
from pytest_pareto.measure.meter import Calls, absent, error_summary
from pytest_pareto.measure.torch_profiler import runs_own_profiler
from pytest_pareto.measure.trace import NO_OPERATIONS
from pytest_pareto.model.attribution import Part, breakdown_of, placed
from pytest_pareto.model.metric import C_CALLS, DISPATCHES, PYTHON_CALLS, Metric
from pytest_pareto.model.run import Measurement

_TOOL = "pytest-pareto"
_TOOL_IDS = (3, 4)
"""The ids of ``sys.monitoring`` that no kind of tool has reserved."""
_UNCOUNTED = ("pytest_pareto", "tqdm")
_MOST_CALLS = 5
_PLACE = re.compile(r" \((.+):\d+\)$")
"""The file of a function, and its line, which an edit of the lines above it moves."""

Counts = dict[str, list[Counter[str]]]
"""What each counted call did, by the name of the metric: how often, by function or operation."""


class _Tally:
    """Counts by code object."""

    def __init__(self) -> None:
        # By id: a code object is hashed by its content, which takes longer than most calls.
        self._counts: dict[int, int] = {}
        self._codes: dict[int, CodeType] = {}

    def add(self, code: CodeType) -> None:
        """Count a code object once more."""
        key = id(code)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._codes[key] = code

    def by_function(self) -> Counter[str]:
        """Return the counts by function, such as ``forward (model.py:12)``."""
        folders = tuple(
            f"{Path(module.__file__).parent}{os.sep}"
            for module in map(sys.modules.get, _UNCOUNTED)
            if module is not None and module.__file__ is not None
        )
        found: Counter[str] = Counter()
        for key, code in self._codes.items():
            if not code.co_filename.startswith(folders):
                where = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
                found[f"{code.co_qualname} ({where})"] += self._counts[key]
        return found


class Listener:
    """Counts the Python functions that one thread enters, and the C functions that these call.

    To enter is to start a function, or to resume a generator or a coroutine. A C call counts for
    the Python function that makes it.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._collecting = False
        self._entered = _Tally()
        self._calling = _Tally()

    def work(self) -> dict[str, Counter[str]]:
        """Return the counts so far."""
        return {
            PYTHON_CALLS.name: self._entered.by_function(),
            C_CALLS.name: self._calling.by_function(),
        }

    def on_entry(self, code: CodeType, *_: object) -> None:
        """Count a function that is entered."""
        if not self._collecting and threading.get_ident() == self._thread:
            self._entered.add(code)

    def on_c_call(self, code: CodeType, *_: object) -> None:
        """Count a C function that ``code`` called."""
        if not self._collecting and threading.get_ident() == self._thread:
            self._calling.add(code)

    def on_event(self, frame: FrameType, event: str, _: object) -> None:
        """Count an event of ``sys.setprofile``."""
        if event == "call":
            self.on_entry(frame.f_code)
        elif event == "c_call":
            self.on_c_call(frame.f_code)

    def before_collection(self, phase: str, _: object) -> None:
        """Stop counting where garbage collection starts: what it runs depends on earlier code."""
        if phase == "start" and threading.get_ident() == self._thread:
            self._collecting = True

    def after_collection(self, phase: str, _: object) -> None:
        """Count again."""
        if phase == "stop" and threading.get_ident() == self._thread:
            self._collecting = False


def count_calls(call: Callable[[], object]) -> dict[str, Counter[str]]:
    """Make a call; return the Python functions that it entered, and the C functions they called.

    The counts are by the name of the metric and by function, such as ``forward (model.py:12)``. No
    other tracer may be active. An exception of the call is raised unchanged. Raises RuntimeError
    where the call replaced the profiler of its thread.
    """
    listener = Listener()
    # No context managers here: what the interpreter enters for them would count.
    start, stop = _BY_MONITORING if hasattr(sys, "monitoring") else _BY_PROFILER
    # Around the callbacks of others, which a collection runs as well. In this order, since it could
    # run between the two lines.
    gc.callbacks.append(listener.after_collection)
    gc.callbacks.insert(0, listener.before_collection)
    start(listener)
    try:
        result = call()
    finally:
        kept = stop(listener)
        gc.callbacks.remove(listener.before_collection)
        gc.callbacks.remove(listener.after_collection)
    del result  # what frees it is not of the call
    if not kept:
        raise RuntimeError("the function sets a profiler of its own (sys.setprofile)")
    return listener.work()


def _start_monitoring(listener: Listener) -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]  # from 3.12 on
    events = monitoring.events
    tool = next(each for each in _TOOL_IDS if monitoring.get_tool(each) is None)
    monitoring.use_tool_id(tool, _TOOL)
    for event in (events.PY_START, events.PY_RESUME):
        monitoring.register_callback(tool, event, listener.on_entry)
    for event in (events.C_RETURN, events.C_RAISE):
        monitoring.register_callback(tool, event, listener.on_c_call)
    # C_RETURN and C_RAISE come with CALL, which needs no callback.
    monitoring.set_events(tool, events.PY_START | events.PY_RESUME | events.CALL)


def _stop_monitoring(_: Listener) -> bool:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]  # from 3.12 on
    events = monitoring.events
    tool = next(each for each in _TOOL_IDS if monitoring.get_tool(each) == _TOOL)
    monitoring.set_events(tool, events.NO_EVENTS)
    for event in (events.PY_START, events.PY_RESUME):
        monitoring.register_callback(tool, event, None)
    for event in (events.C_RETURN, events.C_RAISE):
        monitoring.register_callback(tool, event, None)
    monitoring.free_tool_id(tool)
    return True


def _start_profiling(listener: Listener) -> None:
    # Compiled functions call the listener too, and torch.compile would compile it.
    own = (*vars(Listener).values(), _Tally.add)
    skip_in_compiler(*(each for each in own if isinstance(each, FunctionType)))
    sys.setprofile(listener.on_event)


def _stop_profiling(listener: Listener) -> bool:
    kept = sys.getprofile() == listener.on_event
    sys.setprofile(None)
    return kept


_BY_MONITORING = (_start_monitoring, _stop_monitoring)
_BY_PROFILER = (_start_profiling, _stop_profiling)


def dispatch_counting_absence() -> str | None:
    """Return why dispatched operations cannot be counted in this process, or None."""
    torch = loaded_torch()
    if torch is None:
        return "torch is not imported, and only its operations are counted"
    if torch.autograd._profiler_enabled():  # noqa: SLF001  (torch has no public query)
        return "a torch profiler is active already; run without it"
    if not hasattr(torch.autograd, "_enable_profiler_legacy"):
        return "this torch no longer has a profiler that works without CUPTI"
    return None


def count_dispatches(call: Callable[[], object]) -> Counter[str]:
    """Make a call, and return how often torch dispatched each operation in it.

    An operation that consists of others counts beside these: ``aten::linear``, and the
    ``aten::addmm`` in it. Operations of other packages count, and those that ``backward``
    dispatches in threads of torch. An exception of the call is raised unchanged.

    Torch's first profiler is used because it leaves the call and the process as they are. A
    dispatch mode sees a third of the operations, those below autograd, and makes torch.compile give
    up a function for good; the present profiler, by its source, traces the CUDA runtime by CUPTI
    even if asked for the processor alone, and where CUPTI stays attached launches are slower.
    """
    from torch.autograd.profiler_legacy import profile

    torch: Any = loaded_torch()
    torch.autograd._enable_profiler_legacy(profile().config())  # noqa: SLF001  (see above)
    try:
        result = call()
    finally:
        threads = torch.autograd._disable_profiler_legacy()  # noqa: SLF001
    del result  # what frees it is not of the call
    names = (event.name() for events in threads for event in events if event.kind() == "push")
    return Counter(name for name in names if "::" in name and not name.startswith(NO_OPERATIONS))


class HostWorkMeter:
    """`python_calls`, `c_calls` and `dispatches` (counts) of one call in the steady state.

    Counts call after call until two in a row agree, five at most. A metric whose last two counts
    differ is absent, since no single value describes a call: the reason names where they differ
    most. Dispatches are counted in one call where two agree in what they enter and call, since
    counting them takes two to three times as long as the call.
    """

    metrics = (PYTHON_CALLS, C_CALLS, DISPATCHES)

    def __init__(
        self,
        tracer: Callable[[], str | None] = active_tracer,
        dispatch_absence: Callable[[], str | None] = dispatch_counting_absence,
    ) -> None:
        self._tracer = tracer
        self._dispatch_absence = dispatch_absence

    def absence(self) -> str | None:
        """Return None: each metric is absent for a reason of its own."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Count steady calls, and return the counts of the last one."""
        tracer, undispatched = self._tracer(), self._dispatch_absence()
        reasons = {PYTHON_CALLS.name: tracer, C_CALLS.name: tracer, DISPATCHES.name: undispatched}
        counts: Counts = {name: [] for name in calls.wanted if reasons[name] is None}
        if counts:
            warm_up(calls)
        try:
            _count_until_settled(calls, counts)
        except Exception as error:  # of the instruments or of the function
            # A plain call decides: if it raises as well, the exception is the function's own.
            calls.prepare()()
            return absent(self.metrics, f"counting raised {error_summary(error)}")
        if calls.profiles_itself:
            reasons[DISPATCHES.name] = "the function runs a torch profiler of its own"
        return tuple(
            _measurement(metric, counts[metric.name])
            if (reason := reasons[metric.name]) is None
            else Measurement(metric, absent=reason)
            for metric in self.metrics
            if metric.name in calls.wanted
        )


def _count_until_settled(calls: Calls, counts: Counts) -> None:
    """Add to each list of ``counts`` until its last two agree, or enough calls were made.

    Removes the dispatches where the function runs a profiler of its own, which nothing may share.
    """
    of_python = counts.keys() - {DISPATCHES.name}
    if DISPATCHES.name in counts and calls.profiles_itself is None:
        calls.profiles_itself = runs_own_profiler(lambda: _count(calls, counts, of_python))
    elif of_python:
        _count(calls, counts, of_python)
    if calls.profiles_itself:
        counts.pop(DISPATCHES.name, None)
    for _ in range(_MOST_CALLS - 1):
        open_counts = {name for name in counts if not _is_settled(name, counts)}
        if not open_counts:
            return
        _count(calls, counts, open_counts)


def _is_settled(name: str, counts: Counts) -> bool:
    of_python = counts.keys() - {DISPATCHES.name}
    if name == DISPATCHES.name and counts[name] and of_python:
        return all(_is_settled(each, counts) for each in of_python)
    last_two = [each.total() for each in counts[name][-2:]]
    return len(last_two) == 2 and last_two[0] == last_two[1]


def _count(calls: Calls, counts: Counts, names: AbstractSet[str]) -> None:
    """Make one call, and add what it counts under these ``names``."""
    call: Callable[[], object] = calls.prepare()
    calls.device.synchronize()
    found: dict[str, Counter[str]] = {}
    if names - {DISPATCHES.name}:
        plain = call

        def call() -> None:
            found.update(count_calls(plain))

    if DISPATCHES.name in names:
        found[DISPATCHES.name] = count_dispatches(call)
    else:
        call()
    calls.device.synchronize()
    for name in names:
        counts[name].append(found[name])


def _measurement(metric: Metric, counted: Sequence[Counter[str]]) -> Measurement:
    before, last = counted[-2:] if len(counted) > 1 else (counted[-1], counted[-1])
    if metric is DISPATCHES and not last:
        # The same as without torch, which another test of the process may have imported.
        return Measurement(metric, absent="the call dispatched no operation of torch")
    if before.total() == last.total():
        parts = breakdown_of(Part(_part_name(name), float(n)) for name, n in last.items())
        return Measurement(metric, (float(last.total()),), breakdown=parts)
    functions = sorted(before.keys() | last.keys())
    where = max(functions, key=lambda function: abs(last[function] - before[function]))
    return Measurement(
        metric,
        absent=(
            f"it differs from call to call ({before.total():,} and {last.total():,}, "
            f"most of it in {where})"
        ),
    )


def _part_name(name: str) -> str:
    """Return the name of a function or an operation without a line: ``forward in model.py``."""
    found = _PLACE.search(name)
    return name if found is None else placed(name[: found.start()], found[1])
