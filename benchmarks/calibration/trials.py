"""What is simulated of whole sessions, and what is asked of their judgements."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.calibration.noise import Shape
from benchmarks.calibration.rows import Bound, at_least, at_most
from benchmarks.calibration.world import NAMES, Harm, World
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Position, Verdict

SUBJECT = NAMES[6]
"""The case that is changed: the second of its front, with rivals on both sides."""

RIVAL = NAMES[7]
DRIFT = 0.01
"""With every block: 6 % over the least that a session in turns takes, 14 % over the most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to each judgement.

    Other tools are asked whether they would report any time of the cases ``beside`` it.
    """

    what: str
    question: Callable[[Judgement], bool]
    bound: Bound | None
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A world, what happens in it, and what is asked.

    ``share`` of the sessions of an `Effort` are drawn.
    """

    world: World
    harm: Harm
    asked: tuple[Asked, ...]
    share: float = 1.0

    def count(self, draws: int) -> int:
        """Return how many of so many sessions are drawn."""
        return max(1, round(draws * self.share))

    def without_bounds(self) -> "Trial":
        """Return the trial where nothing was promised."""
        return replace(self, asked=tuple(replace(a, bound=None) for a in self.asked))


def fails(judgement: Judgement) -> bool:
    """Whether the build fails."""
    return judgement.failed


def subject_of(judgement: Judgement) -> CaseVerdict:
    """Return what is said of the case that was changed."""
    return next(case for case in judgement.cases if case.case_id == SUBJECT)


def at_tolerance(world: World, told: str) -> Trial:
    """Everything is worse by exactly its tolerance."""
    asked = Asked(f"all exactly at their tolerance, {told}", fails, at_most(6), NAMES)
    return Trial(world, world.at_tolerance(), (asked,))


def unchanged(world: World, told: str) -> Trial:
    """Nothing changed."""
    asked = Asked(f"nothing changed, {told}", fails, at_most(0.5), NAMES)
    return Trial(world, Harm(), (asked,), share=0.3)


def one_slower() -> Trial:
    """One case takes 6 % longer; 3 % are tolerated, and processes scatter by half a per cent."""
    world = World(spreads=(0.005, 0.002), latency=LATENCY.with_policy(tolerance=0.03))

    def caught(judgement: Judgement) -> bool:
        return bool(subject_of(judgement).fails)

    what = "one case +6 %, spread .5 %, tolerance 3 %"
    asked = Asked(what, caught, at_least(90), (SUBJECT,))
    return Trial(world, Harm.at(SUBJECT, times=(1.06, 1.0)), (asked,), share=0.25)


def trade_off(world: World) -> Trial:
    """A fifth of the time is gained for twice the quality that a trade may give up."""

    def named_and_fails(judgement: Judgement) -> bool:
        case = subject_of(judgement)
        return case.verdict is Verdict.TRADE_OFF and bool(case.fails)

    what = "−20 % latency for −.06 quality: TRADE_OFF"
    asked = Asked(what, named_and_fails, at_least(95))
    return Trial(world, Harm.at(SUBJECT, times=(0.8, 1.0), quality=0.06), (asked,), share=0.25)


def own_regression(world: World, factor: float) -> Trial:
    """A point becomes slower than rivals that are better."""
    asked = _place(f"time ×{factor:g}, rivals stay", SUBJECT, Position.LOST)
    return Trial(world, Harm.at(SUBJECT, times=(factor, factor)), asked, share=0.25)


def improved_rival(world: World, factor: float) -> Trial:
    """A better rival becomes faster than a point that stays as it is."""
    asked = _place(f"time of a rival ×{factor:g}", SUBJECT, Position.OVERTAKEN)
    return Trial(world, Harm.at(RIVAL, times=(factor, factor)), asked, share=0.25)


def _place(what: str, case_id: str, position: Position) -> tuple[Asked, Asked]:
    (confused,) = {Position.LOST, Position.OVERTAKEN} - {position}

    def stands(at: Position) -> Callable[[Judgement], bool]:
        def question(judgement: Judgement) -> bool:
            places = {case.case_id: case.place.position for case in judgement.cases}
            return places[case_id] is at

        return question

    return (
        Asked(f"{what}: {position}", stands(position), at_least(90)),
        Asked(f"{what}: {confused}", stands(confused), at_most(1)),
    )


def together(world: World, factor: float) -> Trial:
    """The latency of every case rises by about the same ratio."""
    harm = Harm()
    harm.times[0] = np.log(factor)

    def named(judgement: Judgement) -> bool:
        modes = [m for m in judgement.common_modes if m.harmful and m.metric == LATENCY.name]
        return len(modes) == 1 and sum(bool(case.fails) for case in judgement.cases) == 1

    what = f"latency of all ×{factor:g}: one headline"
    return Trial(world, harm, (Asked(what, named, at_least(95)),), share=0.25)


def sizes(*, drift: bool) -> tuple[Trial, ...]:
    """Return the trials in which the build should pass, under every shape of noise."""
    worlds = [(World(shape), str(shape)) for shape in Shape]
    if drift:
        worlds.append((World(drift=DRIFT), f"drift {100 * DRIFT:g} %"))
    return (*(at_tolerance(*w) for w in worlds), *(unchanged(*w) for w in worlds))


def powers(world: World) -> tuple[Trial, ...]:
    """Return the trials in which something has to be said."""
    return (
        trade_off(world),
        own_regression(world, 1.6),
        improved_rival(world, 0.5),
        together(world, 1.15),
    )
