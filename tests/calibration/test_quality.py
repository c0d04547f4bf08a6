"""The quick table, the page that shows its rows, and rows that notice when the rule is wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.calibration.rows import Bound, Row, at_least, at_most
from benchmarks.calibration.table import BEGIN, END
from benchmarks.quality import __main__ as command
from benchmarks.quality import fixed, sequential, sets, verdicts
from benchmarks.quality.features import BLOCKS, Places, Pool, draw_places, pool
from benchmarks.quality.scores import Shape, clustered, harms, shifted
from benchmarks.quality.table import ALONE, HEAD, QUICK, Section, cells
from pytest_pareto.compare import scores
from pytest_pareto.model.run import Looks
from pytest_pareto.scoring.set_metrics import pseudo_values


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    """Every row of the quick table, by the title of its section."""
    return {section.title: list(section.rows(QUICK)) for section in command.SECTIONS}


def test_the_quick_table_has_every_row_within_a_hundred_columns(
    rows: dict[str, list[Row]],
) -> None:
    assert len(rows) == len(command.SECTIONS)
    for title, found in rows.items():
        assert len(title) <= 100
        names = [row.what for row in found]
        assert names
        assert len(set(names)) == len(names)
        assert max(len(ALONE.line(cells(row))) for row in found) <= 100


def test_the_page_shows_the_rows_of_the_table(rows: dict[str, list[Row]]) -> None:
    """Figures are of the last full run; which rows there are is known without one."""
    _, _, rest = command.PAGE.read_text(encoding="utf-8").partition(BEGIN)
    shown = [text.split(" | ")[0].removeprefix("| ") for text in rest.partition(END)[0].split("\n")]
    expected = [HEAD[0], "|---|" + "---:|" * (len(HEAD) - 1)]
    for title, found in rows.items():
        expected += [f"**{title}**", *(row.what for row in found)]
    assert [text for text in shown if text] == expected


def test_no_row_of_the_page_misses_its_bound_and_each_has_ten_thousand_draws() -> None:
    _, _, rest = command.PAGE.read_text(encoding="utf-8").partition(BEGIN)
    table = rest.partition(END)[0]
    assert "✗" not in table
    draws = {text.split(" | ")[1] for text in table.split("\n")[3:] if text and "**" not in text}
    assert draws == {"10,000"}


def test_bounds_are_what_was_promised(rows: dict[str, list[Row]]) -> None:
    promised = {bound for found in rows.values() for row in found if (bound := row.bound)}
    assert promised == {
        Bound(0.87, 0.95),
        *(at_most(x) for x in (0.4, 0.5, 2, 3, 5, 6.5, 80)),
        *(at_least(x) for x in (5, 6.5, 7, 8, 10, 12, 25, 40, 70, 85, 88, 90, 97)),
    }


@pytest.mark.parametrize(("share", "code"), [(0.04, 0), (0.06, 1)])
def test_a_missed_bound_is_named_and_makes_the_exit_code_one(
    share: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def one(_: int) -> Iterator[Row]:
        yield Row("told", 10, share, at_most(5))

    monkeypatch.setattr(command, "SECTIONS", (Section("One", one),))
    assert command.main(["--quick"]) == code
    assert ("missed: One: told" in capsys.readouterr().out) == bool(code)


@pytest.mark.parametrize("shape", Shape)
def test_harms_have_no_mean_and_a_spread_of_one(shape: Shape) -> None:
    drawn = harms(shape, np.random.default_rng(1), 400_000)
    assert drawn.mean() == pytest.approx(0.0, abs=0.01)
    assert drawn.std() == pytest.approx(1.0, rel=0.05)


# Wrong rules: the table must notice.


def test_looks_that_are_not_paid_for_miss_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    right = next(sequential.sizes(600))
    assert not right.missed
    monkeypatch.setattr(scores, "sequential_p", lambda p, _: p)
    wrong = next(sequential.sizes(600))
    assert wrong.missed


def test_seeds_that_are_not_averaged_miss_the_bound() -> None:
    trial = verdicts.Trial(clustered(fixed.MARGIN, fixed.SD, averaged=False), 100, fixed.MARGIN, 1)
    assert trial.tally(300).row("", verdicts.CONVICTED, fixed.SIZE).missed


# The features, against the plain definitions.


def drawn_images(name: str, places: Places) -> Pool:
    whole = pool(name)
    return Pool(whole.images[places.ravel()], whole.real)


def test_the_fast_pseudo_values_of_fid_are_those_of_the_jackknife() -> None:
    places = draw_places(np.random.default_rng(2), 1, 100)
    images = drawn_images("ddim-4", places)

    def fid(chosen: Sequence[int]) -> float:
        some = images.images[list(chosen)]
        return float(images.frechet.of(Pool(some, images.real).sums(np.ones(len(some)))))

    blocks = np.arange(100).reshape(BLOCKS, -1).tolist()
    _, expected = pseudo_values(fid, list(range(100)), blocks)
    assert pool("ddim-4").fid_pseudo_values(places)[0] == pytest.approx(expected)


def test_the_fast_pseudo_values_of_kid_are_those_of_the_jackknife() -> None:
    places = draw_places(np.random.default_rng(3), 1, 100)
    images = drawn_images("ddim-2", places)

    def kid(chosen: Sequence[int]) -> float:
        some, real = images.images[list(chosen)], images.real
        among = (some @ some.T / some.shape[1] + 1) ** 3
        n = len(some)
        pairs = (among.sum() - np.trace(among)) / (n * (n - 1))
        return float(pairs - 2 * ((some @ real.T / some.shape[1] + 1) ** 3).mean())

    blocks = np.arange(100).reshape(BLOCKS, -1).tolist()
    _, expected = pseudo_values(kid, list(range(100)), blocks)
    assert pool("ddim-2").kid_pseudo_values(places)[0] == pytest.approx(expected)


def test_frechets_distance_is_none_to_oneself_and_known_for_a_shift() -> None:
    whole = pool("ddim-4")
    moved = Pool(whole.real + 0.5, whole.real)
    assert Pool(whole.real, whole.real).frechet.of(
        Pool(whole.real, whole.real).sums(np.ones(len(whole.real)))
    ) == pytest.approx(0.0, abs=1e-6)
    found = moved.frechet.of(moved.sums(np.ones(len(whole.real))))
    assert found == pytest.approx(16 * 0.25, rel=1e-6)


def test_a_trial_stops_at_the_look_that_decides() -> None:
    trial = verdicts.Trial(shifted(Shape.NORMAL, 0.2, 0.05), 225, 0.01, 1, planned=5)
    before, after = trial.draw(np.random.default_rng(1), 225)
    outcome, used = trial.evaluate(before, after)
    assert outcome in verdicts.CONVICTED
    assert used == Looks(225, 5, 2, 0).used
    assert replace(trial, planned=1).evaluate(before, after)[1] == 225


def test_the_names_of_sets_are_of_variants_that_were_drawn() -> None:
    truths = {name: pool(name).fid - pool(sets.BASE).fid for name in sets.AGAINST}
    assert truths["bf16-4"] < truths["cached-4"] < truths["ddim-2"]
