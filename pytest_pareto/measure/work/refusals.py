"""What cannot run without data, and what to do then. Imports torch: import it where used."""

import inspect
from pathlib import Path
from types import FrameType

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedOperatorException,
)

from pytest_pareto.model.errors import ParetoError

_NOT_THE_USERS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


def refusal(operation: object, error: RuntimeError) -> ParetoError | None:
    """Say in the user's terms why an operation did not run for its shapes alone.

    Returns None where the error is about something else, such as shapes that do not fit.
    To be called while the operation is on the stack, since the message names the line.
    """
    if isinstance(error, DataDependentOutputException | DynamicOutputShapeException):
        return ParetoError(
            f"work is counted without data, but the function asks for numbers{_where()} "
            f"({operation}): `.item()`, `if tensor:`, a mask as an index, `nonzero` and the like "
            "do. Pass what it asks for as Python numbers, or count the part of the model that "
            "does not ask"
        )
    unknown = isinstance(error, NotImplementedError | UnsupportedOperatorException)
    if unknown or "no fake impl" in str(error):
        return ParetoError(
            f"work is counted without data, and {operation} cannot run without{_where()}. Tell "
            "torch its shapes (torch.library.register_fake), or count the part of the model "
            "around it"
        )
    return None


def _where() -> str:
    """Name the line of the measured function that torch is working on."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
    return "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"
