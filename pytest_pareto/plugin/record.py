"""Recorded scores: from the arguments of ``pareto.record`` to a measurement.

A score is a number, one number per sample with ids, or an object that computes one of these.
`score_measurement` comes first. `read_outputs` reads the arguments of ``pareto.keep``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import Measurement


@dataclass(frozen=True, slots=True)
class Score:
    """A recorded value in plain Python; ``ids`` is empty for a single number."""

    values: tuple[float, ...]
    ids: tuple[str, ...] = ()


def read_score(name: str, value: object, ids: Iterable[object] | None) -> Score:
    """Return a recorded value as floats; raise ParetoError where it cannot be converted."""
    if isinstance(value, Mapping):
        if ids is not None:
            raise ParetoError(f"{name!r}: a mapping has its ids already; leave ids= away")
        ids, value = list(value), list(value.values())
    plain = _to_plain(value)
    if not isinstance(plain, list | tuple):
        if ids is not None:
            raise ParetoError(
                f"{name!r} is a single number but ids were given; pass one score per id"
            )
        return Score((_number(name, plain, None),))
    if not plain:
        raise ParetoError(f"{name!r} has no scores at all; record at least one")
    if ids is None:
        raise ParetoError(
            f"{name!r} has {len(plain)} scores but no ids: pass ids= (prompt names, or "
            "range(n) if the order never changes) so that each is compared with itself"
        )
    labels = tuple(str(label) for label in _label_list(ids))
    return Score(
        tuple(
            _number(name, v, labels[i] if i < len(labels) else None) for i, v in enumerate(plain)
        ),
        labels,
    )


def read_outputs(outputs: object, ids: Iterable[object] | None) -> list[tuple[str, object]]:
    """Return outputs paired with their ids; raise ParetoError where they do not match."""
    if isinstance(outputs, Mapping):
        if ids is not None:
            raise ParetoError("pareto.keep: a mapping has its ids already; leave ids= away")
        ids, outputs = list(outputs), list(outputs.values())
    if ids is None or not isinstance(outputs, Iterable):
        raise ParetoError(
            "pareto.keep takes a mapping from sample ids to outputs, or a sequence of outputs "
            "with ids="
        )
    output_list, labels = list(outputs), [str(label) for label in _label_list(ids)]
    if len(output_list) != len(labels):
        raise ParetoError(
            f"pareto.keep: there are {len(output_list)} outputs and {len(labels)} ids; give one id "
            "for each output"
        )
    return list(zip(labels, output_list, strict=True))


def _label_list(ids: Iterable[object]) -> list[object]:
    plain = _to_plain(ids)
    return list(plain) if isinstance(plain, Iterable) else [plain]


def _to_plain(value: object) -> object:
    """Convert an array or tensor of any library to a number or a list."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | list | tuple):
        return list(value)
    return value


def _number(name: str, value: object, label: str | None) -> float:
    plain = _to_plain(value)
    where = f" at sample {label!r}" if label is not None else ""
    if isinstance(plain, SupportsFloat):
        try:
            return float(plain)
        except OverflowError:
            raise ParetoError(f"{name!r} is too large a number{where}: no float holds it") from None
    raise ParetoError(
        f"{name!r} is {plain!r}{where}; a number, or one number per sample, is needed"
    )


def read_direction(name: str, value: object, better: str | None) -> tuple[object, Better]:
    """Return a value, computed if need be, and its direction.

    An object that computes its value (torchmetrics) may declare the direction, which is never
    guessed: raises ParetoError where it is missing.
    """
    compute = getattr(value, "compute", None)
    if callable(compute) and callable(getattr(value, "update", None)):
        higher = getattr(value, "higher_is_better", None)
        if better is None and higher is not None:
            better = "higher" if higher else "lower"
        value = compute()
    if better not in ("lower", "higher"):
        problem = "is missing" if better is None else f"is {better!r}"
        raise ParetoError(
            f"the direction of {name!r} {problem}; pass better='higher' or better='lower'"
        )
    return value, Better(better)


def score_measurement(  # noqa: PLR0913  (as `record`)
    name: str,
    value: object,
    *,
    ids: Sequence[object] | None,
    better: str | None,
    tolerance: float | None,
    unit: str,
    scope: str,
    gate: bool,
    ordinal: bool,
) -> Measurement:
    """Return the measurement of a recorded score; see `Pareto.record` for the parameters.

    Raises ParetoError where one of them cannot be used.
    """
    value, direction = read_direction(name, value, better)
    score = read_score(name, value, ids)
    if scope not in tuple(Scope):
        raise ParetoError(f"scope of {name!r} is {scope!r}; it is one of {', '.join(Scope)}")
    if ordinal and not score.ids:
        raise ParetoError(f"{name!r} is a single number; ordinal=True is for one grade per sample")
    kind = Kind.ORDINAL if ordinal else Kind.PAIRED if score.ids else Kind.RUN
    metric = Metric(
        name,
        unit,
        direction,
        kind,
        Scope(scope),
        0.0 if tolerance is None else tolerance,
        relative=False,
        gates=gate,
    )
    return Measurement(metric, score.values, score.ids)
