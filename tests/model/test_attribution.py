import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies

from pytest_pareto.model.attribution import (
    OTHERS,
    RUN_BYTES,
    Attribution,
    Breakdown,
    Contribution,
    Part,
    attribute,
    breakdown_of,
    fold_breakdowns,
    front_coded,
    front_decoded,
    placed,
    shorten,
)
from pytest_pareto.model.errors import ParetoError

TEXTS = strategies.text("ab:é", min_size=1, max_size=90)
NAMES = TEXTS | strategies.builds(
    placed, strategies.text("ab:", min_size=1, max_size=3), strategies.sampled_from(["N", "N.up"])
)
VALUES = strategies.one_of(
    strategies.integers(1, 10**12).map(float),
    strategies.floats(1e-9, 1e3, allow_nan=False),
)
PARTS = strategies.lists(
    strategies.builds(Part, NAMES, VALUES, strategies.none() | strategies.integers(1, 99)),
    max_size=30,
)
BREAKDOWNS = strategies.dictionaries(
    strategies.sampled_from(["latency", "device_time", "python_calls", "flops", "peak_memory"]),
    PARTS.map(breakdown_of),
    max_size=5,
)


def parts(**values: float) -> Breakdown:
    return breakdown_of(Part(name, value) for name, value in values.items())


def changes(contributions: Sequence[Contribution]) -> dict[str, float]:
    return {each.name: each.change for each in contributions}


def test_parts_of_one_name_are_added_up_and_the_largest_comes_first() -> None:
    whole = breakdown_of([Part("a", 1.0, 2), Part("b", 5.0), Part("a", 3.0, 4), Part("c", 0.0)])
    assert whole.parts == (Part("b", 5.0), Part("a", 4.0, 6.0))
    assert whole.total == 9.0
    assert whole.bound()("d") == 0.0


@pytest.mark.parametrize(
    "part", [Part("a", math.nan), Part("a", math.inf), Part("a", 1.0, math.nan)]
)
def test_a_number_that_is_not_finite_is_refused(part: Part) -> None:
    with pytest.raises(ParetoError, match="a number for 'a' that is not finite"):
        Breakdown((part,))
    with pytest.raises(ParetoError, match="a number for 'the rest'"):
        Breakdown((), rest=math.nan)


def test_two_parts_of_one_name_are_refused() -> None:
    with pytest.raises(ParetoError, match="two parts of one name; add them up"):
        Breakdown((Part("a", 1.0), Part("a", 2.0)))


def test_a_long_name_keeps_both_ends() -> None:
    name = "Model." * 30 + "head"
    assert len(shorten(name)) == 48
    assert shorten(name).startswith("Model.Model.")
    assert shorten(name).endswith("Model.head")
    assert shorten("short") == "short"
    (part,) = breakdown_of([Part(f"aten::addmm in {name}", 1.0)]).parts
    assert part.name == f"aten::addmm in {shorten(name)}"


def test_the_parts_that_moved_add_up_to_the_change() -> None:
    found = attribute(parts(mm=4.0, relu=2.0, copy=1.0), parts(mm=9.0, relu=2.0, sort=3.0), 7.5)
    assert changes(found.contributions) == {"mm": 5.0, "sort": 3.0, "copy": -1.0}
    assert (found.other, found.unexplained, found.total) == (0.0, 0.5, 7.5)


def test_equal_sides_have_no_contribution() -> None:
    found = attribute(parts(a=1.0, b=2.0), parts(a=1.0, b=2.0), 0.0)
    assert found.contributions == ()
    assert found.total == found.other == found.unexplained == 0.0


def test_counts_are_of_both_sides() -> None:
    (found,) = attribute(
        breakdown_of([Part("mm", 1.0, 3)]), breakdown_of([Part("mm", 2.0, 6)]), 1.0
    ).contributions
    assert (found.baseline_count, found.candidate_count) == (3, 6)


@settings(max_examples=50)
@given(BREAKDOWNS)
def test_folding_keeps_the_totals(breakdowns: dict[str, Breakdown]) -> None:
    folded = fold_breakdowns(breakdowns)
    assert folded.keys() == breakdowns.keys()
    for metric, whole in breakdowns.items():
        assert folded[metric].total == pytest.approx(whole.total, rel=1e-3)
        named = len(folded[metric].parts) - len(folded[metric].sums)
        assert named + folded[metric].folded == len(whole.parts)


@settings(max_examples=50)
@given(BREAKDOWNS)
def test_no_folded_part_is_larger_than_its_bound(breakdowns: dict[str, Breakdown]) -> None:
    for metric, folded in fold_breakdowns(breakdowns).items():
        kept = {part.name for part in folded.parts}
        bound = folded.bound()
        for part in breakdowns[metric].parts:
            assert part.name in kept or bound(part.name) >= 0.999 * part.value


@settings(max_examples=50)
@given(BREAKDOWNS, BREAKDOWNS)
def test_contributions_add_up_whatever_is_folded(
    before: dict[str, Breakdown], after: dict[str, Breakdown]
) -> None:
    old, new = fold_breakdowns(before), fold_breakdowns(after)
    for metric in old.keys() & new.keys():
        total = new[metric].total - old[metric].total
        found = attribute(old[metric], new[metric], total)
        added = sum(each.change for each in found.contributions) + found.other + found.unexplained
        assert added == pytest.approx(total, abs=1e-9 * (old[metric].total + new[metric].total))


def many(count: int, value: float = 1.0) -> Breakdown:
    return breakdown_of(Part(f"a function of some length, number {n}", value) for n in range(count))


def test_the_same_parts_fold_alike() -> None:
    folded = fold_breakdowns({"python_calls": many(300)})["python_calls"]
    assert 0 < len(folded.parts) < 300
    assert attribute(folded, folded, 0.0).contributions == ()


def test_a_new_part_is_seen_although_smaller_ones_are_folded() -> None:
    before = fold_breakdowns({"python_calls": many(150, 5.0)})["python_calls"]
    assert before.folded
    new = Part("convert (model.py)", 1.0)
    found = attribute(before, breakdown_of([*many(150, 5.0).parts, new]), 1.0)
    (contribution,) = [each for each in found.contributions if each.name == new.name]
    assert (contribution.baseline, contribution.candidate, contribution.at_most) == (0.0, 1.0, 0.0)


def test_a_part_that_may_have_been_folded_counts_with_the_least() -> None:
    whole = breakdown_of([Part("large", 100.0), Part("small", 5.0), Part("tiny", 4.0)])
    before = Breakdown((Part("large", 100.0), Part("small", 5.0)), rest=4.0, folded=1)
    grown = breakdown_of([Part("large", 100.0), Part("small", 5.0), Part("tiny", 9.0)])
    found = attribute(before, grown, 5.0)
    assert changes(found.contributions) == {"tiny": 5.0}
    assert found.contributions[0].at_most == 4.0
    assert attribute(before, whole, 0.0).contributions == ()


def model(added: Mapping[str, float] | None = None, *, width: int = 0) -> dict[str, Breakdown]:
    """Return what a call of a language model consists of: far more parts than a baseline keeps."""
    layer = "Llama.model.layers.*"
    modules = [f"{layer}.{name}" for name in ("self_attn.q_proj", "self_attn", "mlp.up", "norm")]
    counts = [
        Part(f"aten::op_{n} in {module}", float(1 + (7 * n + len(module)) % 12))
        for module in modules
        for n in range(60)
    ]
    counts += [Part(name, value) for name, value in (added or {}).items()]
    grown = f"aten::op_7 in {layer}.mlp.up"
    wider = [replace(part, value=part.value + width * (part.name == grown)) for part in counts]
    times = [replace(part, value=1e-6 * part.value, count=part.value) for part in wider]
    return {"dispatches": breakdown_of(wider), "latency": breakdown_of(times)}


def moved(before: dict[str, Breakdown], after: dict[str, Breakdown], metric: str) -> Attribution:
    """Attribute a change as a session does: its own run is larger than what a baseline keeps."""
    old = fold_breakdowns(before)[metric]
    new = fold_breakdowns(after, RUN_BYTES)[metric]
    return attribute(old, new, after[metric].total - before[metric].total)


@pytest.mark.parametrize("metric", ["dispatches", "latency"])
def test_a_new_operation_of_a_large_model_is_named(metric: str) -> None:
    new = "aten::_to_copy in Llama.model.layers.*.mlp.up"
    found = moved(model(), model({new: 3.0}), metric)
    assert found.contributions[0].name == new
    assert found.contributions[0].change == pytest.approx(found.total, rel=1e-3)


def test_a_folded_operation_that_grew_is_found_by_its_place() -> None:
    found = moved(model(), model(width=5), "dispatches")
    assert changes(found.contributions) == {"other parts in Llama.model.layers.*.mlp.up": 5.0}
    assert found.other == 0.0


def test_without_sums_by_place_it_is_among_the_rest() -> None:
    """The control: the same sides, with their sums added up."""
    old, new = fold_breakdowns(model())["dispatches"], model(width=5)["dispatches"]
    named = tuple(part for part in old.parts if not part.name.startswith(OTHERS))
    flat = replace(old, parts=named, rest=old.rest + sum(old.sums.values()))
    assert attribute(flat, new, 5.0).contributions == ()
    assert attribute(flat, new, 5.0).other == 5.0


def test_an_operation_that_is_gone_is_named_with_its_bound() -> None:
    gone = "aten::only_there in Llama.model.layers.*.mlp.up"
    found = moved(model({gone: 40.0}), model(), "dispatches")
    assert changes(found.contributions) == {gone: -40.0}


def test_what_is_folded_twice_is_as_if_it_was_folded_once_more() -> None:
    run = fold_breakdowns(model(), RUN_BYTES)
    kept = fold_breakdowns(run)
    assert fold_breakdowns(kept) == kept
    assert fold_breakdowns(run, RUN_BYTES) == run
    assert kept["dispatches"].total == model()["dispatches"].total
    assert kept["dispatches"].marks == fold_breakdowns(model())["dispatches"].marks


@given(strategies.lists(strategies.text(max_size=20), unique=True).map(sorted))
def test_front_coded_names_are_unchanged(names: list[str]) -> None:
    assert front_decoded(front_coded(names)) == names
    assert len(json.dumps(front_coded(names))) <= len(json.dumps(names)) + 2 * len(names)


def test_front_coding_shortens_the_names_of_modules() -> None:
    names = ["Llama.model", "Llama.model.layers.*", "Llama.model.layers.*.mlp", "aten::mm"]
    assert front_coded(names) == ["Llama.model", 11, ".layers.*", 20, ".mlp", "aten::mm"]


def test_what_may_be_mostly_old_counts_among_its_place() -> None:
    """Below twice its bound it is not known to be the part that grew; above it is."""
    before = Breakdown((Part("large", 9.0), Part(f"{OTHERS} in Net.up", 4.0)), folded=3)
    for value, name in ((7.9, f"{OTHERS} in Net.up"), (8.1, "mm in Net.up")):
        now = breakdown_of([Part("large", 9.0), Part("mm in Net.up", value)])
        found = attribute(before, now, value - 4.0)
        assert changes(found.contributions) == {name: pytest.approx(value - 4.0)}


def test_without_marks_a_small_new_part_is_not_told_from_a_folded_one() -> None:
    # What the marks are for: without them the same part is among the rest.
    before = fold_breakdowns({"python_calls": many(1200, 5.0)})["python_calls"]
    assert before.marks == ""
    new = Part("convert (model.py)", 1.0)
    found = attribute(before, Breakdown((*before.parts, new), before.rest, before.folded), 1.0)
    assert found.contributions == ()
    assert found.other == 1.0
