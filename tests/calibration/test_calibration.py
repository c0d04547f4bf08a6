"""The whole table in few draws, and rows that notice when the rule is a wrong one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from benchmarks.calibration import __main__ as command
from benchmarks.calibration import abused, resolution, unchanged
from benchmarks.calibration.alone import ALPHA, NO_SESSIONS, PRIORS, change_of, p_worse_of
from benchmarks.calibration.direct import PValues, convicts, fails_confirmed
from benchmarks.calibration.gate import judge_confirmed
from benchmarks.calibration.rows import QUICK, Bound, Effort, Row, Section, at_least, at_most
from benchmarks.calibration.splits import Sides
from benchmarks.calibration.table import BEGIN, BESIDE_PEERS, END, HEAD, cells
from benchmarks.calibration.trials import at_tolerance
from benchmarks.calibration.ways import Way, failing
from benchmarks.calibration.world import Stored, World
from pytest_pareto import pipeline
from pytest_pareto.compare.multiplicity import AlphaSplit, share_alpha
from pytest_pareto.compare.pairs import Pairs
from pytest_pareto.judge.holm import holm
from pytest_pareto.model.change import Change
from pytest_pareto.model.policy import SCREEN_ALPHA


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    """Every row of the quick table, by the title of its section."""
    return {section.title: list(section.rows(QUICK)) for section in command.SECTIONS}


def test_the_quick_table_has_every_row_within_a_hundred_columns(
    rows: dict[str, list[Row]],
) -> None:
    assert len(rows) == len(command.SECTIONS)
    assert all(rows.values())
    for title, found in rows.items():
        assert len(title) <= 100
        names = [row.what for row in found]
        assert len(set(names)) == len(names)
        assert max(len(BESIDE_PEERS.line(cells(row))) for row in found) <= 100


def test_the_quick_table_is_seeded(rows: dict[str, list[Row]]) -> None:
    section = abused.SECTIONS[1]
    assert list(section.rows(QUICK)) == rows[section.title]


def test_the_page_shows_the_rows_of_the_table(rows: dict[str, list[Row]]) -> None:
    """Figures are of the last full run; which rows there are is known without one."""
    _, _, rest = command.PAGE.read_text(encoding="utf-8").partition(BEGIN)
    shown = [text.split(" | ")[0].removeprefix("| ") for text in rest.partition(END)[0].split("\n")]
    expected = [HEAD[0], "|---|" + "---:|" * (len(HEAD) - 1)]
    for title, found in rows.items():
        expected += [f"**{title}**", *(row.what for row in found)]
    assert [text for text in shown if text] == expected


def one_row(row: Row) -> tuple[Section, ...]:
    def rows(_: Effort) -> Iterator[Row]:
        yield row

    return (Section("One", rows),)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Row("fine", 10, 0.04, at_most(5)), 0),
        (Row("too much", 10, 0.06, at_most(5)), 1),
        (Row("told only", 10, 0.06), 0),
    ],
)
def test_a_missed_bound_is_named_and_makes_the_exit_code_one(
    row: Row, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "SECTIONS", one_row(row))
    assert command.main(["--quick"]) == code
    assert (f"missed: One: {row.what}" in capsys.readouterr().out) == bool(code)


# Wrong rules: the table must notice.


def mann_whitney_over_calls(sides: Sides) -> bool:
    base, new = sides.calls()
    return bool(mannwhitneyu(new, base, alternative="greater").pvalue <= ALPHA)


def test_with_calls_for_replicates_unchanged_latency_misses_its_bounds() -> None:
    few, many = (replace(QUICK, splits=splits, peers=1, resamples=5) for splits in (12, 120))
    wrong = {r.what: r for r in unchanged.at_no_tolerance(few, mann_whitney_over_calls)}
    right = {r.what: r for r in unchanged.at_no_tolerance(many)}
    latency = [what for what in wrong if what.startswith("latency") and "blocks" not in what]
    for what in (*latency, *(what for what in wrong if what.startswith("all of them"))):
        assert wrong[what].missed, what
        assert not right[what].missed, what
    assert len(latency) == 3


METRICS, RUNS, TOLERANCE = 60, 5, 0.05


def stored_session(rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Sixty metrics exactly at their tolerance: p-values of the screen, and of its confirmation."""
    logs = 0.01 * rng.normal(size=(METRICS, 3, RUNS))
    logs[:, 1:] += np.log1p(TOLERANCE)
    levels = np.exp(logs).tolist()
    screen = [p_worse_of(then, now, TOLERANCE, 0.0) for then, now, _ in levels]
    return screen, [p_worse_of(then, again, TOLERANCE, 0.0) for then, _, again in levels]


def fails(screen: Sequence[float], again: Sequence[float], *, family: int | None) -> bool:
    """Whether Holm convicts what was flagged: over itself, or over a family of this size."""
    flagged = [b for a, b in zip(screen, again, strict=True) if a <= SCREEN_ALPHA]
    unflagged = [1.0] * (family - len(flagged)) if family else []
    return any(p <= ALPHA for p in holm([*flagged, *unflagged]))


def test_holm_over_the_flagged_alone_fails_too_many_builds_against_a_stored_baseline() -> None:
    rng, bound = np.random.default_rng(7), at_most(6)
    drawn = [stored_session(rng) for _ in range(200)]
    wrong = sum(fails(*session, family=None) for session in drawn) / len(drawn)
    right = sum(fails(*session, family=METRICS) for session in drawn) / len(drawn)
    assert 0.10 <= wrong <= 0.20
    assert not bound.holds(wrong)
    assert bound.holds(right)


def test_a_session_that_only_holm_over_the_flagged_fails_is_passed_by_the_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And is failed by it if the baseline is taken for one that was measured anew."""
    session = next(filter(only_the_flagged_fail, at_tolerance_sessions()))
    assert not judge_confirmed(session, NO_SESSIONS).failed

    def over_the_flagged(pairs: Pairs) -> AlphaSplit:
        split, record = share_alpha(pairs), pairs.levels.record
        return replace(split, tested=record.flagged) if record.confirmed else split

    monkeypatch.setattr(pipeline, "share_alpha", over_the_flagged)
    assert judge_confirmed(session, NO_SESSIONS).failed


def at_tolerance_sessions() -> Iterator[Stored]:
    world, rng = World(), np.random.default_rng(8)
    for _ in range(400):
        yield world.stored(rng, world.at_tolerance(), sizes=(5, 5, 5))


def only_the_flagged_fail(session: Stored) -> bool:
    p = PValues.of(session, NO_SESSIONS)
    found = p.first.p_again[p.first.flagged]
    return convicts(found) and not fails_confirmed(p, p.first)


def test_sessions_that_differ_and_are_not_allowed_for_miss_the_bound() -> None:
    trials = [at_tolerance(World(sessions=PRIORS), "normal")]
    effort = replace(QUICK, builds=25)
    (wrong,) = failing(trials, Way(5, confirmed=False), effort)
    (right,) = failing(trials, Way(5, confirmed=False, spreads=PRIORS), effort)
    assert wrong.missed
    assert wrong.share > 0.9
    assert right.share < 0.1


def test_a_resolution_that_promises_too_much_misses_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    effort = replace(QUICK, comparisons=500)
    right = list(resolution.unconfirmed(effort))
    assert not any(row.missed for row in right)

    def boastful(*args: object) -> Change:
        change = change_of(*args)  # type: ignore[arg-type]  # handed on as they come
        return replace(change, resolution=TOLERANCE + 0.8 * (change.resolution - TOLERANCE))

    monkeypatch.setattr(resolution, "change_of", boastful)
    told = list(resolution.unconfirmed(effort))
    assert all(row.missed for row in told if row.bound == resolution.CAUGHT)


def test_bounds_are_what_was_promised(rows: dict[str, list[Row]]) -> None:
    promised = {bound for found in rows.values() for row in found if (bound := row.bound)}
    assert promised == {
        *(at_most(x) for x in (0.5, 1, 1.5, 3, 3.5, 6, 7, 7.5)),
        *(Bound(low=x / 100) for x in (85, 90, 95, 99)),
        *(Bound(0.75, 0.85), Bound(0.7, 0.9), at_least(75)),
    }
