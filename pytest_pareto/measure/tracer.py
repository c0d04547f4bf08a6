"""Whether something slows every Python call of this process down: a tracer, a profiler."""

import sys

_TOOL_IDS = range(6)  # all that sys.monitoring has


def active_tracer() -> str | None:
    """Say what slows Python code down here and how to be rid of it, or None.

    Coverage was seen to slow calls 2.7 times, so no time of the host means anything under
    it. Looked for are ``sys.settrace``, ``sys.setprofile`` and, from Python 3.12 on, the
    tools of ``sys.monitoring``.
    """
    if sys.gettrace() is not None:
        return "a tracer is active (coverage or a debugger); run without --cov"
    if sys.getprofile() is not None:
        return "a profiler is active (sys.setprofile); run without it"
    monitoring = getattr(sys, "monitoring", None)
    tools = [] if monitoring is None else [monitoring.get_tool(tool) for tool in _TOOL_IDS]
    names = ", ".join(name for name in tools if name is not None)
    if names:
        return f"a tracer is active ({names}); run without --cov, debugger or profiler"
    return None
