"""A score that a test recorded, as a measurement."""

from collections.abc import Sequence

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric, Scope
from pytest_pareto.model.run import Measurement
from pytest_pareto.plugin.score import read_direction, read_score


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
