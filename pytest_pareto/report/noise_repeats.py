"""What should have been the same in every run of an A/A test, in sentences."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.noise import NoiseReport, Repetition
from pytest_pareto.report.noise_words import some
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import levels


def repeated(report: NoiseReport) -> Iterator[str]:
    """Name the metrics that came out the same in every run of every case."""
    for title, scored in (("the same in every run", False), ("every score the same", True)):
        names = [name for name, found in _by_metric(report, scored=scored) if _all_same(found)]
        if names:
            yield f"{title}: {', '.join(names)}"


def unrepeated(report: NoiseReport) -> Iterator[str]:
    """Tell of each metric that should have come out the same where it did not."""
    for scored in (False, True):
        for name, found in _by_metric(report, scored=scored):
            bad = [repetition for repetition in found if not repetition.repeated]
            if bad:
                tell = _score_differed if scored else _number_differed
                what = "scores are drawn anew in each run" if scored else "not the same in each run"
                yield f"{name}: {what}: {some([tell(repetition) for repetition in bad])}"


def _by_metric(report: NoiseReport, *, scored: bool) -> Iterator[tuple[str, list[Repetition]]]:
    groups: dict[str, list[Repetition]] = {}
    for found in report.repetitions:
        if found.metric.kind.sampled == scored:
            groups.setdefault(clean(found.metric.name), []).append(found)
    yield from groups.items()


def _all_same(found: Sequence[Repetition]) -> bool:
    return all(repetition.repeated for repetition in found)


def _number_differed(found: Repetition) -> str:
    return clean(f"{found.case_id} {_from_to(found)}")


def _score_differed(found: Repetition) -> str:
    told = f"{found.differing} of {found.values} in {found.case_id}"
    return clean(f"{told} (sample {found.sample!r} {_from_to(found)})")


def _from_to(found: Repetition) -> str:
    ends = levels((found.low, found.high), found.metric.unit, exact=True)
    return f"from {ends.texts[0]} to {ends.texts[1]} {ends.scale.unit}".rstrip()
