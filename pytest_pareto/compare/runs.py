"""Student's t test over runs: the run is the unit of replication, not the call.

`compare_runs` is the public API for plain numbers, `compare_levels` the test of a session.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from scipy.special import stdtr, stdtrit

from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better
from pytest_pareto.model.policy import SCREEN_ALPHA, Option
from pytest_pareto.stats.contrast import (
    NO_ADJUSTMENT,
    AdjustmentError,
    Contrast,
    contrast_of,
    interleaved_contrast,
)
from pytest_pareto.stats.power import (
    confirming_runs,
    detectable_distance,
    p_confirming,
    runs_to_settle,
    settling_advice,
)
from pytest_pareto.stats.scale import (
    harm_sign,
    margin_of,
    parse_better,
    require_valid_options,
    summarise_run,
    to_fraction,
    to_working,
)
from pytest_pareto.stats.variance import Spread, on_working_scale


def compare_runs(
    baseline: Iterable[Sequence[float]],
    candidate: Iterable[Sequence[float]],
    *,
    better: str = "lower",
    tolerance: float = 0.03,
    alpha: float = 0.05,
    session_spread: float = 0.0,
) -> Change:
    """Compare two sides that were measured in fresh processes.

    Each side is a sequence of runs, and a run is a sequence of positive readings from one
    process: ``[[0.101, 0.099], [0.104, 0.103]]``. ``tolerance`` is a fraction, 0.03 is 3 %.
    ``session_spread`` is the assumed standard deviation between sessions, as a fraction: the
    deviation that all runs of one side share. Leave it at 0 where the two sides ran interleaved.

    Raises ParetoError where a side is empty, a run is not a sequence of positive numbers,
    or an option is out of its range.
    """
    direction = parse_better(better)
    require_valid_options(tolerance=tolerance, session_spread=session_spread, alpha=alpha)
    return compare_levels(
        [Session("", 0, _levels("baseline", baseline))],
        _levels("candidate", candidate),
        better=direction,
        relative=True,
        tolerance=tolerance,
        alpha=alpha,
        session_spread=math.log1p(session_spread),
    )


def compare_levels(  # noqa: PLR0913 - the terms of one test, by keyword
    baseline: Sequence[Session],
    candidate: Sequence[float],
    *,
    better: Better,
    relative: bool,
    tolerance: float,
    alpha: float,
    family: float = 1.0,
    session_spread: float = 0.0,
    between_sessions: Spread | None = None,
    prior: Spread | None = None,
    adjustment_error: AdjustmentError = NO_ADJUSTMENT,
    confirming: int = 0,
    interleaved: bool = False,
    confirmed: bool = False,
) -> Change:
    """Test whether the candidate's level exceeds the accepted level by more than the tolerance.

    The test is Student's t on the working scale, t = (θ - δ) / √V with θ in the harmful direction;
    see `Contrast.error` for V. The level comes from the newest epoch, the spread from the residuals
    within all epochs.

    Parameters
    ----------
    baseline
        The stored sessions, oldest first, in the metric's unit. Where ``interleaved``, one session
        for each block of old and new runs.
    candidate
        One level per run of a single session, in the metric's unit. Where ``interleaved``, the new
        runs in the order of the blocks.
    family
        The number of tests that share ``alpha``. The resolution δ + (t(1 - alpha / family) +
        t(0.8)) √V is that of the corrected test. The p-values and the interval are of this
        comparison alone.
    session_spread
        The assumed standard deviation between sessions on the working scale; 0 where both sides ran
        interleaved.
    between_sessions
        The spread between sessions, where it was estimated from all cases of the metric; None to
        estimate it from these sessions.
    prior
        The spread that other cases lend to a case with almost no history (`estimate_prior`).
    adjustment_error
        The error that an adjustment of the levels adds (`adjust`).
    confirming
        The number of fresh runs that will confirm a flagged metric, 0 for none. If not 0, the
        resolution is that of both together.
    confirmed
        Whether the candidate's runs are the confirming ones.

    Raises ParetoError where a side is empty or a level cannot be compared.
    """
    if not baseline:
        raise ParetoError("there is no baseline session to compare with; record one first")
    sessions = on_working_scale(baseline, relative=relative)
    runs = to_working(candidate, relative=relative)
    margin, sign = margin_of(tolerance, relative=relative), harm_sign(better)
    contrast = (
        interleaved_contrast(sessions, runs, relative=relative)
        if interleaved
        else contrast_of(
            sessions,
            runs,
            relative=relative,
            session_spread=session_spread,
            between_sessions=between_sessions,
            prior=prior,
            adjustment_error=adjustment_error,
        )
    )
    contrast = replace(contrast, distance=sign * contrast.distance)
    if contrast.between_runs.df == 0:
        unbounded = unbounded_change(
            contrast.distance, relative=relative, tolerance=tolerance, alpha=alpha
        )
        take = "take more with" if interleaved else "record the baseline with"
        reason = f"one run on each side has no spread to judge by: {take} {Option.RUNS} 5"
        return replace(unbounded, reason=reason)
    change = tested_change(
        contrast,
        relative=relative,
        tolerance=tolerance,
        alpha=alpha,
        corrected_alpha=alpha / family,
        confirming=confirming,
    )
    change = replace(change, runs_to_settle=runs_to_settle(contrast, margin, alpha))
    if confirming and not interleaved:
        # Alone and uncorrected: what other metrics come to may still change the correction.
        change = replace(change, p_confirming=p_confirming(contrast, margin, alpha, confirming))
        if change.p_worse <= SCREEN_ALPHA:
            needed = confirming_runs(contrast, margin, alpha / family, confirming)
            change = replace(change, confirming_runs=needed)
    if change.outcome not in (Outcome.INCONCLUSIVE, Outcome.WORSE):
        return change
    level = alpha / family if contrast.distance > margin else alpha
    advice = settling_advice(contrast, margin, level, relative=relative, confirmed=confirmed)
    if change.outcome is Outcome.WORSE:  # alone; among all tests it may remain a suspicion
        return replace(change, if_suspected=advice)
    return replace(change, reason=advice)


def tested_change(
    contrast: Contrast,
    *,
    relative: bool,
    tolerance: float,
    alpha: float,
    corrected_alpha: float,
    confirming: int,
) -> Change:
    """Return the change that a contrast shows, with p-values and interval at level ``alpha``."""
    margin = margin_of(tolerance, relative=relative)
    error = contrast.error
    detectable = detectable_distance(contrast, corrected_alpha, confirming)
    sd, distance = math.sqrt(error.variance), contrast.distance
    half = float(-stdtrit(error.df, alpha)) * sd
    return Change(
        estimate=to_fraction(distance, relative=relative),
        low=to_fraction(distance - half, relative=relative),
        high=to_fraction(distance + half, relative=relative),
        tolerance=tolerance,
        relative=relative,
        alpha=alpha,
        p_worse=contrast.p_within(margin),
        p_better=float(stdtr(error.df, (distance + margin) / sd)),
        resolution=to_fraction(margin + detectable, relative=relative),
        df=error.df,
    )


def unbounded_change(distance: float, *, relative: bool, tolerance: float, alpha: float) -> Change:
    """Return a change whose size is known and whose error is not."""
    return Change(
        estimate=to_fraction(distance, relative=relative),
        low=to_fraction(-math.inf, relative=relative),
        high=math.inf,
        tolerance=tolerance,
        relative=relative,
        alpha=alpha,
        p_worse=1.0,
        p_better=1.0,
        resolution=math.inf,
        df=0.0,
    )


def _levels(side: str, runs: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Return the level of each run; raise ParetoError that names the ``side`` and the run."""
    levels = []
    for position, run in enumerate(runs):
        try:
            readings = [float(reading) for reading in run]
        except (TypeError, ValueError):
            raise ParetoError(
                f"{side} run {position} is {run!r}, not a sequence of numbers: a run holds the "
                "readings of one process, such as [[0.101, 0.099], [0.104, 0.103]] for two runs"
            ) from None
        try:
            levels.append(summarise_run(readings, relative=True))
        except ParetoError as error:
            raise ParetoError(f"{side} run {position}: {error}") from None
    if not levels:
        raise ParetoError(f"the {side} holds no runs; give at least one")
    return tuple(levels)
