"""The host reference where it is no good: how often it is used, and what is said then."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from benchmarks.calibration.alone import NO_SESSIONS, PRIORS
from benchmarks.calibration.moods import Mood
from benchmarks.calibration.reference import (
    BesideReference,
    adjusted_alone,
    judge_beside_reference,
)
from benchmarks.calibration.rows import Effort, Row, Section, at_least, at_most, share_of
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.model.verdict import MetricResult

SEED = 7
FAR = "host 20 % faster: not allowed for, says why"
OTHER_TORCH = "torch changed, 5 % slower: refused, says so"
SHIFT = math.log1p(0.05)
MOODS = {
    "a good one, host 5 % slower": Mood(shift=SHIFT),
    "noisy by 3 %, host 5 % slower": Mood(shift=SHIFT, reference_sd=0.03),
    "slope .3 → .9, host 5 % slower": Mood((0.3, 0.9), SHIFT),
    "slope .9 → .3, host 5 % faster": Mood((0.9, 0.3), -SHIFT),
}
"""Each with the shift that makes unchanged code look slower, where it is of one sign."""


def said(
    mood: Mood, effort: Effort, spreads: SessionSpreads = NO_SESSIONS
) -> Iterator[BesideReference]:
    """Yield what is said of unchanged code at tolerance 0."""
    rng = np.random.default_rng(SEED)
    for _ in range(effort.comparisons):
        levels, references = mood.draw(rng)
        yield adjusted_alone(levels, references, tolerance=0.0, spreads=spreads)


def used(effort: Effort) -> Iterator[Row]:
    """Yield how often latency is adjusted, and then what must not be adjusted and says so."""
    for what, mood in MOODS.items():
        share = share_of(beside.used for beside in said(mood, effort))
        yield Row(what, effort.comparisons, share, simulated=True)
    far, moved = Mood(shift=-math.log1p(0.2)), Mood(shift=SHIFT)
    yield refused(FAR, far, apart, effort, software={})
    yield refused(OTHER_TORCH, moved, changed, effort, software={"torch": "2.12"})


def refused(
    what: str,
    mood: Mood,
    as_it_must: Callable[[MetricResult], bool],
    effort: Effort,
    *,
    software: Mapping[str, str],
) -> Row:
    """Return how often whole judgements refuse the reference, with their reason.

    ``software`` runs now, and did not before.
    """
    rng = np.random.default_rng(SEED)
    results = (
        judge_beside_reference(*mood.draw(rng), tolerance=0.05, software=software)
        for _ in range(effort.sessions)
    )
    share = share_of(map(as_it_must, results))
    return Row(what, effort.sessions, share, at_least(99), simulated=True)


def apart(result: MetricResult) -> bool:
    """Whether a latency is not comparable, as it may not be where it follows another host.

    Where nine runs show no such thing it is compared as it is, and says so.
    """
    if result.outcome is Outcome.NOT_COMPARABLE:
        return "launches" in (result.reason or "")
    return any("follows the host reference too little" in note for note in result.notes)


def changed(result: MetricResult) -> bool:
    """Whether a latency is compared as it is, since there is another torch."""
    return any(
        note.startswith("not adjusted by the host reference: torch") for note in result.notes
    )


def worse(effort: Effort) -> Iterator[Row]:
    """Yield how often unchanged code is WORSE where it is adjusted, by what is taken of sessions.

    Without a term; with it, where sessions differ by the host's mood alone; and with it where
    they differ by so much besides.
    """
    prior = PRIORS.host_adjusted
    for spreads, sd, told in (
        (NO_SESSIONS, 0.0, ""),
        (PRIORS, 0.0, ", session term"),
        (PRIORS, prior, ", they differ"),
    ):
        for what, mood in MOODS.items():
            found = [x.worse for x in said(replace(mood, session_sd=sd), effort, spreads) if x.used]
            share = share_of(found) if found else 0.0
            yield Row(f"{what}{told}", len(found), share, at_most(7), simulated=True)


SECTIONS = (
    Section("The host reference abused (simulated, 5:4): how often it is used", used),
    Section("The host reference abused: unchanged code WORSE at tolerance 0, where used", worse),
)
