"""Read-only baselines: recorded results, past commits, and the anchor.

- `load_recorded` reads the results of one kind of machine.
- `newest_runs` converts the newest session of a baseline into runs, to compare with others.
- `PastBaselines` reads the baselines of many commits and decodes each file once.
- `load_anchor` reads the anchor: a baseline frozen at a release, which no update writes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path, PurePosixPath

from pytest_pareto.baseline import layout, store
from pytest_pareto.baseline.codec import decode_environment, decode_levels
from pytest_pareto.baseline.files import directory_exists
from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.metric import BUILT_IN, HOST_REFERENCE, LATENCY, Kind, Metric, parse_budget
from pytest_pareto.model.run import CaseRun, Measurement, Run

Policies = Mapping[tuple[str, str], Metric]

Files = Mapping[str, str]
"""The files of one baseline: the name of the content, by path below its folder."""

_REMEDY = "freeze one by a copy of the baseline, or configure none with --pareto-anchor="


def load_recorded(directory: Path, hardware_key: str | None = None) -> Baseline:
    """Return the results of one kind of machine, with those that are the same on every machine.

    Without a key there must be only one kind of machine. Raises BaselineError where there is no
    baseline, where it cannot be used, where it lacks the machine, or where a machine must be
    chosen.
    """
    machines = recorded_machines(directory)
    if hardware_key is None and len(machines) > 1:
        raise machine_choice_error(f"{directory.as_posix()} holds", machines)
    if hardware_key is not None and hardware_key not in machines:
        held = ", ".join(machines) or "none that belong to a machine"
        raise BaselineError(
            f"{directory.as_posix()} holds no results of {hardware_key!r}; there are: {held}"
        )
    baseline = load(directory, hardware_key or (machines or [layout.NO_MACHINE])[0])
    if not baseline.cases:
        raise BaselineError(
            f"{directory.as_posix()} holds no results: record some with "
            "pytest --pareto --pareto-update"
        )
    return baseline


def recorded_machines(directory: Path) -> list[str]:
    """Return the hardware keys that a baseline has results of.

    Raises BaselineError where there is no baseline.
    """
    _require_baseline(directory)
    return [
        folder.name
        for folder in store.hardware_folders(directory)
        if layout.is_machine_folder(folder.name)
    ]


def _require_baseline(directory: Path) -> None:
    """Raise BaselineError unless the directory is a baseline: all have environments."""
    if directory.is_file():
        raise BaselineError(f"{directory.as_posix()} is a file; name the folder of a baseline")
    if not directory_exists(directory):
        raise BaselineError(
            f"there is no baseline at {directory.as_posix()}: record one with "
            "pytest --pareto --pareto-update, or name the folder that holds it"
        )
    if not directory_exists(directory / layout.ENVIRONMENT_FOLDER):
        inside = sorted(directory.glob(f"*/{layout.ENVIRONMENT_FOLDER}"))
        hint = f"; {inside[0].parent.as_posix()} is one" if inside else ""
        raise BaselineError(
            f"{directory.as_posix()} is no baseline: it has no folder "
            f"{layout.ENVIRONMENT_FOLDER}{hint}"
        )


def newest_runs(baseline: Baseline, policies: Policies) -> tuple[Run, ...]:
    """Return the measurements of the newest session of each metric as runs.

    Tolerances are those that the baseline holds. A baseline of an older version holds none: they
    come from ``policies``, by case id and metric name, else from the built-in metrics, and are 0
    elsewhere. The runs have the environment that most of the
    newest sessions have; a metric measured in another one is absent where its scope forbids that.
    """
    newest = [h.newest for case in baseline.cases.values() for h in case.metrics.values()]
    ((name, _),) = Counter(session.env for session in newest).most_common(1)
    here = baseline.environments[name]
    cases = baseline.cases.values()
    finished = frozenset(case.case_id for case in cases)
    return tuple(
        Run(
            here,
            {case.case_id: _case(case, at, baseline, here, policies) for case in cases},
            finished=finished,
        )
        for at in range(max(len(session.runs) for session in newest))
    )


def _case(
    case: CaseHistory, at: int, baseline: Baseline, here: Environment, policies: Policies
) -> CaseRun:
    found = chain.from_iterable(
        _measured(
            _policy(case.case_id, name, history, policies),
            history,
            at,
            here.mismatch(baseline.environments[history.newest.env], history.scope),
        )
        for name, history in case.metrics.items()
    )
    rules = {name: h.rule for name, h in case.metrics.items() if h.rule is not None}
    return CaseRun(
        case.case_id,
        case.case_id,
        case.front,
        case.source,
        tuple(found),
        gate=not rules or any(rule.gate for rule in rules.values()),
        budgets=tuple(parse_budget(n, r.budget) for n, r in rules.items() if r.budget),
    )


def recorded_metric(name: str, history: MetricHistory) -> Metric | None:
    """Return a metric with the tolerance that a baseline holds of it, or None."""
    rule = history.rule
    if rule is None:
        return None
    about = history.unit, history.better, history.kind, history.scope
    return Metric(name, *about, rule.tolerance, rule.relative, history.gates, rule.give_up)


def _policy(case_id: str, name: str, history: MetricHistory, policies: Policies) -> Metric:
    known = recorded_metric(name, history), policies.get((case_id, name)), BUILT_IN.get(name)
    for metric in known:
        if metric is not None and history.disagreement(metric) is None:
            return metric.with_policy(gates=history.gates)
    return Metric(
        name,
        history.unit,
        history.better,
        history.kind,
        history.scope,
        tolerance=0.0,
        relative=False,
        gates=history.gates,
    )


def _measured(
    metric: Metric, history: MetricHistory, at: int, mismatch: str | None
) -> Iterator[Measurement]:
    session, samples = history.newest, history.samples
    # An exact metric that is the same in every run is written once.
    index = 0 if metric.kind is Kind.EXACT and len(session.runs) == 1 else at
    if mismatch is not None:
        yield Measurement(metric, absent=f"its newest session is of another machine: {mismatch}")
    elif index >= len(session.runs):
        yield Measurement(metric, absent="its newest session has no more runs")
    elif samples is not None:
        whole = session.runs[index] if metric.kind is Kind.SET else None
        parts = history.breakdown
        yield Measurement(metric, samples.values, samples.ids, whole=whole, breakdown=parts)
    else:
        bound, parts = session.lower_bound or None, history.breakdown
        yield Measurement(metric, (session.runs[index],), lower_bound=bound, breakdown=parts)
        if metric.name == LATENCY.name and session.reference:
            yield Measurement(HOST_REFERENCE, (session.reference[index],))


def machines_of(files: Iterable[str]) -> set[str]:
    """Return the hardware keys that have results of their own among some files."""
    tops = {PurePosixPath(path).parts[0] for path in files if "/" in path}
    return set(filter(layout.is_machine_folder, tops))


class PastBaselines:
    """A reader of many baselines for one kind of machine, without scores per sample.

    ``content_of`` returns the bytes of a content name; a name always has the same bytes.
    """

    def __init__(self, hardware_key: str, content_of: Callable[[str], bytes]) -> None:
        self._key = layout.hardware_folder(hardware_key)
        self._content_of = content_of
        self._environments: dict[tuple[str, str], Environment] = {}
        self._modules: dict[tuple[str, str, frozenset[str]], dict[str, CaseHistory]] = {}

    def load(self, files: Files) -> Baseline:
        """Return a baseline. Raises BaselineError where a file of it cannot be used."""
        environments = {
            PurePosixPath(path).stem: self._environment(path, name)
            for path, name in files.items()
            if PurePosixPath(path).parts[0] == layout.ENVIRONMENT_FOLDER and _is_json(path)
        }
        names = frozenset(environments)
        cases: dict[str, CaseHistory] = {}
        for folder in (layout.ANYWHERE_FOLDER, self._key):
            for path, name in sorted(files.items()):
                if _is_main(path, folder):
                    store.merge_cases(cases, self._module(path, name, names))
        return Baseline(self._key, cases, environments)

    def _environment(self, path: str, name: str) -> Environment:
        key = (path, name)
        if key not in self._environments:
            self._environments[key] = decode_environment(self._text(path, name), path)
        return self._environments[key]

    def _module(self, path: str, name: str, environments: frozenset[str]) -> dict[str, CaseHistory]:
        key = (path, name, environments)
        if key not in self._modules:
            folder, *rest = PurePosixPath(path).parts
            module = layout.module_of(PurePosixPath(*rest))
            text = self._text(path, name)
            cases = decode_levels(text, file=path, module=module, environments=environments)
            store.check_scopes(cases, folder, path)
            self._modules[key] = cases
        return self._modules[key]

    def _text(self, path: str, name: str) -> str:
        try:
            return self._content_of(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BaselineError(
                f"{path}: expected UTF-8 text ({error.reason} at byte {error.start})."
            ) from error


def _is_json(path: str) -> bool:
    return path.endswith(".json")


def _is_main(path: str, folder: str) -> bool:
    file = PurePosixPath(path)
    inside = len(file.parts) > 1 and file.parts[0] == folder
    return inside and _is_json(path) and layout.is_main_file(file)


def load_anchor(directory: Path, hardware_key: str) -> Baseline:
    """Return the anchor's entries for one kind of machine.

    Raises BaselineError where the anchor does not exist, is empty or cannot be read: a configured
    anchor without entries would let any drift pass.
    """
    try:
        exists = directory_exists(directory)
        anchor = load(directory, hardware_key)
    except BaselineError as error:
        raise BaselineError(
            "the anchor cannot be used (no update writes it: restore it from git, or freeze it "
            f"anew by a copy of the baseline): {error}"
        ) from error
    if not exists:
        raise BaselineError(f"there is no anchor in {directory.as_posix()}: {_REMEDY}")
    if not anchor.cases and not any(anchor.elsewhere.values()):
        raise BaselineError(f"the anchor in {directory.as_posix()} holds no case: {_REMEDY}")
    return anchor


def machine_choice_error(who: str, machines: Collection[str]) -> BaselineError:
    """Return the error for a required choice of machine; ``who`` ends with a verb like "hold"."""
    return BaselineError(
        f"{who} results of {len(machines)} kinds of machine; choose one with --hardware KEY: "
        f"{', '.join(sorted(machines))}"
    )
