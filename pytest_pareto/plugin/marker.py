"""The marker ``@pytest.mark.pareto(...)``, and the options of ``pareto.configure``.

`read_marker` checks the keywords of a test's markers and returns its `CaseOptions`. `CaseNames`
names the cases of a test, `KnownMetrics` checks the metrics that it names, and `MeasureOptions`
are the options of one measurement.
"""

import ast
import hashlib
import inspect
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TypeVar

import pytest

from pytest_pareto.measure.meter import Meter
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import require_text
from pytest_pareto.model.metric import (
    BUILT_IN,
    COUNTED_WITHOUT_DATA,
    FLOPS,
    STREAMED,
    Budget,
    Metric,
    parse_budget,
)
from pytest_pareto.model.run import CaseRun, Measurement

V = TypeVar("V")

KEYWORDS = (
    "front",
    "tolerance",
    "budget",
    "give_up",
    "rounds",
    "warmup",
    "skip_metrics",
    "work_only",
    "gate",
)
_MAPPINGS = ("tolerance", "budget", "give_up")


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """The checked keywords of the marker; ``tolerance`` and ``give_up`` by metric name."""

    front: str | None = None
    tolerance: Mapping[str, float] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    give_up: Mapping[str, float] = field(default_factory=dict)
    rounds: int | None = None
    warmup: int | None = None
    skip_metrics: frozenset[str] = frozenset()
    work_only: bool = False
    gate: bool = True

    @property
    def named_metrics(self) -> dict[str, str]:
        """The metrics that the marker names, each with the keyword that names it."""
        named = dict.fromkeys(self.skip_metrics, "skip_metrics")
        named |= dict.fromkeys(self.give_up, "give_up") | dict.fromkeys(self.tolerance, "tolerance")
        return named | {budget.metric: "budget" for budget in self.budgets}

    def apply_to(self, metric: Metric) -> Metric:
        """Return a metric with this test's tolerance, give-up bound and gating.

        A tolerance makes a diagnostic gate. So does ``work_only`` for the FLOPs: a test that
        measures nothing else exists for them.
        """
        tolerance = self.tolerance.get(metric.name)
        gates = tolerance is not None or (self.work_only and metric.name == FLOPS.name)
        return metric.with_policy(
            tolerance=tolerance,
            give_up=self.give_up.get(metric.name),
            gates=True if gates else None,
        )


def read_marker(item: pytest.Item) -> CaseOptions:
    """Return the merged options of a test's markers; the nearest marker wins.

    Raises ParetoError where a keyword is unknown or its value cannot be used.
    """
    merged: dict[str, object] = {}
    marks = list(item.iter_markers("pareto"))[::-1]
    for mark in marks:
        if mark.args:
            raise ParetoError(
                f"@pytest.mark.pareto takes keywords only, not {mark.args!r}; "
                f"they are {', '.join(KEYWORDS)}"
            )
        for key, value in mark.kwargs.items():
            if key not in KEYWORDS:
                raise ParetoError(
                    f"@pytest.mark.pareto has no keyword {key!r}{suggest(key, KEYWORDS)}; "
                    f"it takes {', '.join(KEYWORDS)}"
                )
            merged[key] = _merge(key, merged.get(key), value)
    options = _check_keywords(merged)
    if options.work_only:
        # A marker farther out may set a tolerance for other tests of its file or class.
        outermost = max(n for n, mark in enumerate(marks) if "work_only" in mark.kwargs)
        for mark in marks[outermost:]:
            _require_counted(mark.kwargs)
    return options


def _require_counted(keywords: Mapping[str, object]) -> None:
    """Raise ParetoError where a marker limits a metric that ``work_only`` does not measure."""
    counted = COUNTED_WITHOUT_DATA | {FLOPS.name}
    for key in _MAPPINGS:
        limits = keywords.get(key, {})
        assert isinstance(limits, Mapping)
        for name in limits:
            if name in BUILT_IN and name not in counted:
                raise ParetoError(
                    f"@pytest.mark.pareto({key}=...) names {name!r}, which a test with "
                    f"work_only=True does not measure; it has {', '.join(sorted(counted))} and "
                    "what it records"
                )


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ' (did you mean ...?)' where a known word is close, else an empty string."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _merge(key: str, outer: object, value: object) -> object:
    if key not in _MAPPINGS:
        return value
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ParetoError(
            f"@pytest.mark.pareto({key}=...) takes a mapping from metric names, "
            f"such as {{'latency': ...}}, not {value!r}"
        )
    return {**outer, **value} if isinstance(outer, Mapping) else dict(value)


def _check_keywords(given: Mapping[str, object]) -> CaseOptions:
    budgets = given.get("budget", {})
    assert isinstance(budgets, Mapping)
    return CaseOptions(
        front=_typed("front", given.get("front"), str, "a string"),
        tolerance=_limits("tolerance", given.get("tolerance", {})),
        budgets=tuple(parse_budget(metric, text) for metric, text in budgets.items()),
        give_up=_limits("give_up", given.get("give_up", {})),
        rounds=require_count("rounds", given.get("rounds"), least=1),
        warmup=require_count("warmup", given.get("warmup"), least=0),
        skip_metrics=_names(given.get("skip_metrics", ())),
        work_only=_typed("work_only", given.get("work_only"), bool, "True or False") is True,
        gate=_typed("gate", given.get("gate"), bool, "True or False") is not False,
    )


def _typed(key: str, value: object, kind: type[V], wanted: str) -> V | None:
    if value is None or isinstance(value, kind):
        return value
    raise ParetoError(f"@pytest.mark.pareto({key}=...) takes {wanted}, not {value!r}")


def _limits(key: str, value: object) -> dict[str, float]:
    assert isinstance(value, Mapping)
    for name, limit in value.items():
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if not number or not math.isfinite(limit) or limit < 0:
            raise ParetoError(
                f"@pytest.mark.pareto({key}={{{name!r}: ...}}) takes a number >= 0 "
                f"(0.05 is 5 % for built-in metrics), not {limit!r}"
            )
    return {name: float(limit) for name, limit in value.items()}


def require_count(key: str, value: object, *, least: int) -> int | None:
    """Return ``value``, a whole number or None; raise ParetoError if it is less than ``least``."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ParetoError(f"{key} takes a whole number from {least} on, not {value!r}")
    return value


def _names(value: object) -> frozenset[str]:
    names = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [None]
    if not all(isinstance(name, str) for name in names):
        raise ParetoError(
            f"@pytest.mark.pareto(skip_metrics=...) takes names, such as ['latency'], not {value!r}"
        )
    return frozenset(str(name) for name in names)


def source_hash(item: pytest.Item) -> str:
    """Return a hash of a test's code without comments, docstring and decorators.

    Empty where the source cannot be read, which is then never reported as a change.
    """
    if not isinstance(item, pytest.Function):
        return ""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(item.function)))
    except (OSError, TypeError, SyntaxError):
        return ""
    definition = tree.body[0]
    if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        definition.decorator_list = []
        if ast.get_docstring(definition) is not None:
            definition.body = definition.body[1:]
    return hashlib.sha256(ast.dump(definition).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class CaseNames:
    """Names the cases of one test; ``name`` is always that given to `configure`, or None."""

    item: pytest.Item
    options: CaseOptions

    @property
    def budgeted(self) -> frozenset[str]:
        """The metrics that have a budget."""
        return frozenset(budget.metric for budget in self.options.budgets)

    def case_id(self, name: str | None) -> str:
        """Return the id of a case."""
        return self.item.nodeid if name is None else f"{self.item.nodeid}#{name}"

    def front(self, name: str | None) -> str:
        """Return the front on which a case competes."""
        if self.options.front is not None:
            front = self.options.front
        else:
            function = getattr(self.item, "originalname", None) or self.item.name
            parent = self.item.nodeid.removesuffix(self.item.name)
            front = f"{parent}{function}"
        return front if name is None else f"{front}#{name}"

    def case_run(
        self, name: str | None, measurements: Iterable[Measurement], items: int | None = None
    ) -> CaseRun:
        """Return a case with these measurements, its front, gating and budgets."""
        found = {measurement.metric.name: measurement for measurement in measurements}
        return CaseRun(
            case_id=self.case_id(name),
            nodeid=self.item.nodeid,
            front=self.front(name),
            source=source_hash(self.item),
            measurements=tuple(found.values()),
            gate=self.options.gate,
            budgets=tuple(b for b in self.options.budgets if b.metric in found),
            items=items,
        )


@dataclass(frozen=True, slots=True)
class KnownMetrics:
    """The metrics that a test may name: those of this process's meters, and its own."""

    meters: Sequence[Meter]
    options: CaseOptions

    @property
    def built_in(self) -> frozenset[str]:
        """The names of the metrics that a measurement can produce by itself."""
        added = {metric.name for meter in self.meters for metric in meter.metrics}
        # Elsewhere than under work_only a tolerance for these would never gate.
        unmeasured = frozenset() if self.options.work_only else COUNTED_WITHOUT_DATA
        return (frozenset(BUILT_IN) - unmeasured) | added

    def require(self, metrics: Iterable[str]) -> frozenset[str]:
        """Return the names as a set; raise ParetoError where no meter measures one of them."""
        wanted, known = frozenset(metrics), self.built_in
        for name in sorted(wanted - known):
            raise ParetoError(
                f"metrics names {name!r}, which nothing here measures{suggest(name, known)}; "
                f"known: {', '.join(sorted(known))}"
            )
        return wanted

    def check_named(self, recorded: set[str], *, streams: bool) -> None:
        """Raise ParetoError where the marker names a metric that the test does not have.

        ``recorded`` are the metrics of its cases; ``streams`` is whether it measured a stream.
        """
        # Under work_only nothing is timed, neither calls nor streams.
        timed = streams and not self.options.work_only
        known = recorded | (self.built_in if timed else self.built_in - STREAMED)
        for name, keyword in self.options.named_metrics.items():
            # A budget on a metric without a value would never be exceeded.
            if name not in (recorded if keyword == "budget" else known):
                raise ParetoError(
                    f"@pytest.mark.pareto({keyword}=...) names {name!r}, which this test neither "
                    f"measures nor records{suggest(name, known)}; it has {', '.join(sorted(known))}"
                )


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """The options of one measurement; None is the default, or the marker's value.

    Raises ParetoError where a value cannot be used.
    """

    name: str | None = None
    setup: Callable[[], object] | None = None
    items: int | None = None
    rounds: int | None = None
    warmup: int | None = None
    metrics: frozenset[str] | None = None
    max_items: int | None = None

    def __post_init__(self) -> None:
        if self.name is not None and (not self.name or not isinstance(self.name, str)):
            raise ParetoError(f"name takes a non-empty string, not {self.name!r}")
        require_text("name", self.name or "")
        require_count("items", self.items, least=1)
        require_count("rounds", self.rounds, least=1)
        require_count("warmup", self.warmup, least=0)
        require_count("max_items", self.max_items, least=1)

    def updated_with(self, **given: object) -> "MeasureOptions":
        """Return these options with those that are ``given``; None leaves one as it is."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        updated = {name: value for name, value in given.items() if value is not None}
        return MeasureOptions(**{**kept, **updated})
