"""What ``pareto.record`` takes: a number, scores with ids, or an object that computes one.

A score that a test recorded, as a measurement.
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
    """Turn what was recorded into floats. Raises ParetoError where that cannot be done."""
    if isinstance(value, Mapping):
        if ids is not None:
            raise ParetoError(f"{name!r}: a mapping has its ids already; leave ids= away")
        ids, value = list(value), list(value.values())
    plain = _plain(value)
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
    labels = tuple(str(label) for label in _listed(ids))
    return Score(
        tuple(
            _number(name, v, labels[i] if i < len(labels) else None) for i, v in enumerate(plain)
        ),
        labels,
    )


def read_outputs(outputs: object, ids: Iterable[object] | None) -> list[tuple[str, object]]:
    """Pair outputs with their ids. Raises ParetoError where that cannot be done."""
    if isinstance(outputs, Mapping):
        if ids is not None:
            raise ParetoError("pareto.keep: a mapping has its ids already; leave ids= away")
        ids, outputs = list(outputs), list(outputs.values())
    if ids is None or not isinstance(outputs, Iterable):
        raise ParetoError(
            "pareto.keep takes a mapping from sample ids to outputs, or a sequence of outputs "
            "with ids="
        )
    listed, labels = list(outputs), [str(label) for label in _listed(ids)]
    if len(listed) != len(labels):
        raise ParetoError(
            f"pareto.keep: there are {len(listed)} outputs and {len(labels)} ids; give one id "
            "for each output"
        )
    return list(zip(labels, listed, strict=True))


def _listed(ids: Iterable[object]) -> list[object]:
    plain = _plain(ids)
    return list(plain) if isinstance(plain, Iterable) else [plain]


def _plain(value: object) -> object:
    """Turn arrays and tensors of any library into numbers and lists."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | list | tuple):
        return list(value)
    return value


def _number(name: str, value: object, label: str | None) -> float:
    plain = _plain(value)
    if isinstance(plain, SupportsFloat):
        return float(plain)
    where = f" at sample {label!r}" if label is not None else ""
    raise ParetoError(
        f"{name!r} is {plain!r}{where}; a number, or one number per sample, is needed"
    )


def read_direction(name: str, value: object, better: str | None) -> tuple[object, Better]:
    """Resolve the direction, asking an object that computes its value (torchmetrics) for it.

    Returns the value (computed if need be) and the direction, which is never guessed.
    """
    compute = getattr(value, "compute", None)
    if callable(compute) and callable(getattr(value, "update", None)):
        higher = getattr(value, "higher_is_better", None)
        if better is None and higher is not None:
            better = "higher" if higher else "lower"
        value = compute()
    if better not in ("lower", "higher"):
        said = "is missing" if better is None else f"is {better!r}"
        raise ParetoError(
            f"the direction of {name!r} {said}; pass better='higher' or better='lower'"
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
    """Return a score as a test recorded it; see `Pareto.record` for its parts.

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
