"""The signals that ask a process to end, beside Ctrl-C."""

import signal

_NAMES = ("SIGTERM", "SIGHUP")

ENDING = tuple(signal.Signals[name] for name in _NAMES if hasattr(signal, name))
"""SIGHUP is what a closed terminal sends; Windows has none."""
