"""A metric over the commits of its baseline: levels, and the changes between them."""

from collections.abc import Iterable, Iterator, Sequence

from pytest_pareto.compare.matching import remembered_metric
from pytest_pareto.compare.standing import accepted_level
from pytest_pareto.model.baseline import Baseline, Course, MetricHistory, Moment, Revision
from pytest_pareto.model.metric import Metric, in_turn

Past = tuple[int, Revision, MetricHistory | None, Baseline]


def courses_of(
    read: Sequence[tuple[int, Revision, Baseline]], *, diagnostics: bool = False
) -> tuple[Course, ...]:
    """Return the course of every metric of every case through baselines, oldest first.

    Each baseline comes with the place of its commit among all. Metrics that did not gate when
    they were recorded last are left out unless ``diagnostics``.
    """
    fronts: dict[tuple[str, str], str] = {}
    for _, _, baseline in read:
        for case in baseline.cases.values():
            fronts |= {(case.case_id, name): case.front for name in case.metrics}
    courses = [_course(*key, front, read) for key, front in fronts.items()]
    courses.sort(key=lambda course: (in_turn(course.metric.name), course.front, course.case_id))
    return tuple(course for course in courses if course.metric.gates or diagnostics)


def _course(
    case_id: str, name: str, front: str, read: Sequence[tuple[int, Revision, Baseline]]
) -> Course:
    pasts: list[Past] = []
    for at, revision, baseline in read:
        case = baseline.cases.get(case_id)
        past = None if case is None else case.metrics.get(name)
        if past != (pasts[-1][2] if pasts else None):
            pasts.append((at, revision, past, baseline))
    newest = next(past for _, _, past, _ in reversed(pasts) if past is not None)
    metric = remembered_metric(name, newest)
    return Course(case_id, front, metric, tuple(_moments(pasts, metric)))


def _moments(pasts: Iterable[Past], metric: Metric) -> Iterator[Moment]:
    first = before = held = None
    for at, revision, past, baseline in pasts:
        if past is None:
            yield Moment(at, revision, None, notes=("it is not in the baseline any more",))
            continue
        different = past.disagreement(metric)
        if different is not None:
            yield Moment(at, revision, None, notes=(f"another quantity: {different}",))
            continue
        level = accepted_level(past, metric)
        yield Moment(
            at,
            revision,
            level,
            None if before is None else _change(before, level, metric),
            None if first is None else _change(first, level, metric),
            accepted=held is not None and past.newest.epoch != held[0].newest.epoch,
            notes=() if held is None else tuple(_elsewhere(*held, past, baseline)),
        )
        first = level if first is None else first
        before, held = level, (past, baseline)


def _change(then: float, now: float, metric: Metric) -> float | None:
    if not metric.relative:
        return now - then
    return now / then - 1 if then > 0 else None


def _elsewhere(
    then: MetricHistory, old: Baseline, now: MetricHistory, new: Baseline
) -> Iterator[str]:
    """Say what else was another when this was measured: the machine, and versions."""
    before, after = old.environments[then.newest.env], new.environments[now.newest.env]
    facts, others = after.scope_facts(now.scope), before.scope_facts(now.scope)
    other = [name for name, fact in facts.items() if others.get(name) != fact]
    if other:
        yield f"measured on another machine: other {', '.join(other)}"
    versions = sorted(before.software.keys() & after.software.keys())
    moved = [n for n in versions if before.software[n] != after.software[n]]
    if moved:
        yield ", ".join(f"{n} {before.software[n]} → {after.software[n]}" for n in moved)
