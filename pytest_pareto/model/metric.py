"""Metrics, the built-in ones, and budgets: absolute limits on a metric.

A `Metric` has a name, an SI unit, a direction, a kind, a scope and a tolerance. `BUILT_IN` maps
names to the metrics that the package measures itself. A `Budget` is a floor, a ceiling or both,
which hold whatever the baseline is; `parse_budget` reads one from text. A `Rule` is what a test
declares of the judgement of a metric, as a baseline keeps it.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import require_text

GIVE_UP_FACTOR = 3.0
"""How many tolerances of a metric a trade may give up where the test sets no ``give_up``."""


class Better(StrEnum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


class Kind(StrEnum):
    """How a metric's readings replicate, which decides how two of them are compared."""

    RUN = "run"  # noisy: one summary per run, compared over runs
    EXACT = "exact"  # repeatable: compared as it stands
    PAIRED = "paired"  # one score per sample, matched by sample id
    ORDINAL = "ordinal"  # one grade per sample, of which only the order means something
    SET = "set"  # one number for all samples together, with a jackknife value of each block

    @property
    def sampled(self) -> bool:
        """Whether its values have ids, so that each is compared with the one of the same id."""
        return self in (Kind.PAIRED, Kind.ORDINAL, Kind.SET)


class Scope(StrEnum):
    """What must match between two machines for a metric to be comparable."""

    ANYWHERE = "anywhere"
    GPU = "gpu"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Metric:
    """One axis of the plane, with the policy of the test that measures it.

    ``tolerance`` and ``give_up`` are fractions when ``relative`` (0.05 is 5 %), else in
    the metric's own unit. ``unit`` is SI: "s", "J", "B", "count", or "" for a bare score.
    A metric with ``gates=False`` is a diagnostic: reported, never a verdict.
    """

    name: str
    unit: str
    better: Better
    kind: Kind
    scope: Scope
    tolerance: float
    relative: bool
    gates: bool = True
    give_up: float | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ParetoError("a metric needs a name")
        require_text("the metric's name", self.name)
        require_text(f"the unit of {self.name!r}", self.unit)
        for label, value in (("tolerance", self.tolerance), ("give_up", self.give_up)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value) and value >= 0):
                raise ParetoError(
                    f"{label} of {self.name!r} must be a finite number >= 0, not {value!r}"
                )

    @property
    def trade_bound(self) -> float:
        """The most of this metric that a trade may give up, on the scale of ``tolerance``."""
        return self.give_up if self.give_up is not None else GIVE_UP_FACTOR * self.tolerance

    @property
    def harm_sign(self) -> float:
        """The sign of a harmful change: +1 where more is worse, -1 where less is worse."""
        return 1.0 if self.better is Better.LOWER else -1.0

    @property
    def is_host_time(self) -> bool:
        """Whether it is a time that depends on the speed of the host."""
        return self.scope is Scope.HOST and self.unit == "s"

    def with_policy(
        self,
        *,
        tolerance: float | None = None,
        give_up: float | None = None,
        gates: bool | None = None,
    ) -> "Metric":
        """Return this metric with a test's own policy; ``None`` keeps the present value."""
        return replace(
            self,
            tolerance=self.tolerance if tolerance is None else tolerance,
            give_up=self.give_up if give_up is None else give_up,
            gates=self.gates if gates is None else gates,
        )


def _cost(
    name: str, unit: str, kind: Kind, scope: Scope, tolerance: float, *, gates: bool = True
) -> Metric:
    return Metric(name, unit, Better.LOWER, kind, scope, tolerance, relative=True, gates=gates)


LATENCY = _cost("latency", "s", Kind.RUN, Scope.HOST, 0.05)
EVENT_TIME = _cost("event_time", "s", Kind.RUN, Scope.HOST, 0.05, gates=False)
HOST_REFERENCE = _cost("host_reference", "s", Kind.RUN, Scope.HOST, 0.05, gates=False)
ENERGY = _cost("energy", "J", Kind.RUN, Scope.GPU, 0.05)
DYNAMIC_ENERGY = _cost("dynamic_energy", "J", Kind.RUN, Scope.GPU, 0.05, gates=False)
DEVICE_TIME = _cost("device_time", "s", Kind.RUN, Scope.GPU, 0.01)
KERNELS = _cost("kernels", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
HOST_COPIES = _cost("host_copies", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
HOST_WAITS = _cost("host_waits", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
LAUNCHES = _cost("launches", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
ALLOCATIONS = _cost("allocations", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
PYTHON_CALLS = _cost("python_calls", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
C_CALLS = _cost("c_calls", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
DISPATCHES = _cost("dispatches", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False)
PEAK_MEMORY = _cost("peak_memory", "B", Kind.EXACT, Scope.GPU, 0.01)
# Weights do not vary from call to call: 48 MiB more are seen beside models of up to 46 GiB.
RESIDENT_MEMORY = _cost("resident_memory", "B", Kind.EXACT, Scope.GPU, 0.001)
# How much an operation of the processor allocates may depend on the number of threads.
HOST_PEAK_MEMORY = _cost("host_peak_memory", "B", Kind.EXACT, Scope.HOST, 0.01)
RESERVED_MEMORY = _cost("reserved_memory", "B", Kind.EXACT, Scope.GPU, 0.01, gates=False)
OTHER_MEMORY = _cost("other_memory", "B", Kind.EXACT, Scope.GPU, 0.01, gates=False)
FLOPS = _cost("flops", "count", Kind.EXACT, Scope.ANYWHERE, 0.0, gates=False)
TIME_TO_FIRST_ITEM = _cost("time_to_first_item", "s", Kind.RUN, Scope.HOST, 0.05)
TIME_PER_ITEM = _cost("time_per_item", "s", Kind.RUN, Scope.HOST, 0.05)
# Items divided by latency: a verdict on it would repeat latency's, and cost the others power.
ITEMS_PER_SECOND = replace(
    _cost("items_per_second", "items/s", Kind.RUN, Scope.HOST, 0.05, gates=False),
    better=Better.HIGHER,
)
# Neither more nor fewer items are better, but fewer of them would pass for higher speed.
ITEMS = replace(
    _cost("items", "count", Kind.EXACT, Scope.GPU, 0.0, gates=False), better=Better.HIGHER
)
OPERATIONS = _cost("operations", "count", Kind.EXACT, Scope.ANYWHERE, 0.0, gates=False)

BUILT_IN = {
    metric.name: metric
    for metric in (
        LATENCY,
        EVENT_TIME,
        HOST_REFERENCE,
        ENERGY,
        DYNAMIC_ENERGY,
        TIME_TO_FIRST_ITEM,
        TIME_PER_ITEM,
        ITEMS_PER_SECOND,
        ITEMS,
        DEVICE_TIME,
        KERNELS,
        HOST_COPIES,
        HOST_WAITS,
        LAUNCHES,
        ALLOCATIONS,
        PEAK_MEMORY,
        RESIDENT_MEMORY,
        HOST_PEAK_MEMORY,
        RESERVED_MEMORY,
        OTHER_MEMORY,
        PYTHON_CALLS,
        C_CALLS,
        DISPATCHES,
        FLOPS,
        OPERATIONS,
    )
}
"""The metrics that `measure` measures itself, by name; ``gates=False`` marks diagnostics."""

MEANINGS = {
    "latency": "a call by the host's clock, the device waited for",
    "event_time": "a call by CUDA events, from launch to end, in the current stream of the "
    "current device",
    "host_reference": "a small loop of launches of our own, between the calls: it follows the "
    "speed of the host",
    "energy": "a call's share of what the board draws; on NVIDIA, others by "
    "[zeus](#meters-of-your-own)",
    "dynamic_energy": "`energy` less what the idle board would draw in that time, so that it does "
    "not follow a slow host; skipped with `energy`",
    "time_to_first_item": "of [streams](#streams-and-awaited-calls): from the call to its first "
    "item",
    "time_per_item": "of streams: the mean from the first item to the end",
    "items_per_second": "of streams: items over the latency",
    "items": "of streams: how many items there were",
    "device_time": "what a call's kernels take together, on CUDA",
    "kernels": "kernels of a call",
    "host_copies": "copies between host and GPU in a call",
    "host_waits": "waits of the host for a GPU in a call",
    "launches": "kernels and CUDA graphs that the host launches in a call",
    "allocations": "allocations of GPU memory and pinned memory by the driver in a call",
    "peak_memory": "what a call asks torch for at its peak, beyond what was there before it; on "
    "CUDA",
    "resident_memory": "the tensors that the case holds on the call's device: weights, buffers, "
    "inputs",
    "host_peak_memory": "`peak_memory` of a call on the processor",
    "reserved_memory": "what torch's allocator held on CUDA at its peak, other tests' memory and "
    "gaps included",
    "other_memory": "what the process held of the GPU beside that",
    "python_calls": "Python functions that are started, generators and coroutines that are "
    "resumed: [work of the host](#work-of-the-host)",
    "c_calls": "C functions that Python code calls; from Python 3.12 on, types too",
    "dispatches": "operations that go through torch's dispatcher: `aten::linear`, and the "
    "`aten::addmm` in it",
    "flops": "of matrix products, convolutions and attention, by torch's formulas; gates under "
    "`work_only`",
    "operations": "dispatched operations that do work; only under `work_only`",
}
"""What each built-in metric measures, as the reference describes it (Markdown)."""

STREAMED = frozenset(
    metric.name for metric in (TIME_TO_FIRST_ITEM, TIME_PER_ITEM, ITEMS_PER_SECOND, ITEMS)
)
"""The names of the built-in metrics that only a stream has."""

HOST_COUNTS: Mapping[Metric, str] = {
    PYTHON_CALLS: "Python calls",
    C_CALLS: "C calls",
    DISPATCHES: "dispatches",
    LAUNCHES: "launches",
    HOST_COPIES: "copies",
    HOST_WAITS: "waits",
    ALLOCATIONS: "allocations",
}
"""The counts of what the host does in a call, and their words. They do not depend on its speed."""

COUNTED_WITHOUT_DATA = frozenset({OPERATIONS.name})
"""The names of the built-in metrics that only ``work_only`` counts."""

_RANKS = {name: rank for rank, name in enumerate(BUILT_IN)}


def metric_order(name: str) -> int:
    """Return the sort key of a metric: built-in ones as they are measured, then all others."""
    return _RANKS.get(name, len(_RANKS))


_BOUND = re.compile(r"\s*(<=|>=)\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµ%]*)\s*")

_SCALE = {
    "": 1.0,
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
    "J": 1.0, "mJ": 1e-3, "kJ": 1e3,
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
    "count": 1.0, "%": 1e-2,
}  # fmt: skip
_DIMENSION = {"ms": "s", "us": "s", "µs": "s", "mJ": "J", "kJ": "J"} | dict.fromkeys(
    ("kB", "MB", "GB", "KiB", "MiB", "GiB"), "B"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit in the metric's SI unit: a ceiling, or else a floor."""

    ceiling: bool
    limit: float


@dataclass(frozen=True, slots=True)
class Budget:
    """A floor, a ceiling or both on one metric; ``text`` is as its author wrote it.

    ``unit`` is the SI unit, "" where the author wrote none, and "%" for a bare score in percent.
    """

    metric: str
    bounds: tuple[Bound, ...]
    unit: str
    text: str


def parse_budget(metric: str, text: object) -> Budget:
    """Parse a budget such as ``">= 0.90"``, ``"<= 0.5 s"`` or ``">= 20 ms, <= 30 ms"``.

    Raises ParetoError where the text has another form, an unknown unit, or two bounds that no
    value can keep.
    """
    budget = text if isinstance(text, str) else ""
    parsed = [_parse_bound(metric, text, part) for part in budget.split(",")]
    bounds, units = tuple(bound for bound, _ in parsed), {unit for _, unit in parsed}
    if len(units) > 1:
        raise ParetoError(
            f"budget of {metric!r} is {text!r}; write both bounds in units of one kind"
        )
    match bounds:
        case (_,):
            pass
        case (Bound(ceiling=False, limit=low), Bound(ceiling=True, limit=high)) | (
            Bound(ceiling=True, limit=high),
            Bound(ceiling=False, limit=low),
        ):
            if low > high:
                raise ParetoError(
                    f"budget of {metric!r} is {text!r}; nothing is above its floor and below its "
                    "ceiling"
                )
        case _:
            raise ParetoError(
                f"budget of {metric!r} is {text!r}; it takes one floor and one ceiling"
            )
    return Budget(metric, bounds, units.pop(), budget.strip())


def _parse_bound(metric: str, text: object, part: str) -> tuple[Bound, str]:
    """Parse one part of a budget's text; return the bound and its SI unit."""
    match = _BOUND.fullmatch(part)
    if match is None or match[3] not in _SCALE:
        raise ParetoError(
            f"budget of {metric!r} is {text!r}; write a string such as '>= 0.90', '<= 250 ms' or "
            f"'>= 20 ms, <= 30 ms' (units: {', '.join(unit for unit in _SCALE if unit)})"
        )
    comparison, number, suffix = match.groups()
    try:
        limit = float(number) * _SCALE[suffix]
    except ValueError:
        raise ParetoError(f"budget of {metric!r}: {number!r} is not a number") from None
    if not math.isfinite(limit):
        raise ParetoError(f"budget of {metric!r}: {number!r} is no finite number")
    return Bound(comparison == "<=", limit), _DIMENSION.get(suffix, suffix)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a test declares of the judgement of one metric, as it was when a level was recorded.

    ``tolerance`` and ``give_up`` are those of `Metric`, on the scale that ``relative`` selects.
    ``budget`` is the text of a `Budget`, "" for none. ``gate`` is whether the case could fail.
    """

    tolerance: float
    relative: bool = False
    give_up: float | None = None
    budget: str = ""
    gate: bool = True

    @classmethod
    def of(cls, metric: Metric, budgets: Iterable[Budget], *, gate: bool) -> "Rule":
        """Return the rule of a metric of a case with these budgets and this gating."""
        text = next((b.text for b in budgets if b.metric == metric.name), "")
        return cls(metric.tolerance, metric.relative, metric.give_up, text, gate)


def budget_loosens(metric: str, then: str, now: str) -> bool | None:
    """Return whether a budget's text permits more than another did, or less (False).

    "" is no budget. None where it permits some values more and others less, or nothing else.
    """
    (low, high), (new_low, new_high) = _limits_of(metric, then), _limits_of(metric, now)
    if new_low <= low and new_high >= high:
        return None if (new_low, new_high) == (low, high) else True
    return False if new_low >= low and new_high <= high else None


def _limits_of(metric: str, text: str) -> tuple[float, float]:
    bounds = parse_budget(metric, text).bounds if text else ()
    low = max((b.limit for b in bounds if not b.ceiling), default=-math.inf)
    return low, min((b.limit for b in bounds if b.ceiling), default=math.inf)
