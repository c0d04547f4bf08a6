"""What a directory holds for whoever only wants to read: the results of one kind of machine.

The newest session of a baseline as runs, to be compared with something else.

Baselines as they once were: of many commits, each of whose files is decoded once.

The anchor: a baseline that a release froze, read and never written.

Several kinds of machine where one has to be chosen.
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
from pytest_pareto.model.metric import BUILT_IN, HOST_REFERENCE, LATENCY, Kind, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run


def load_recorded(directory: Path, hardware_key: str | None = None) -> Baseline:
    """Read the results of one kind of machine, with those that mean the same on every machine.

    Without a key it is the only kind that there is. Raises BaselineError where there is no
    baseline, where it cannot be used, or where its machines are others or need a choice.
    """
    machines = recorded_machines(directory)
    if hardware_key is None and len(machines) > 1:
        raise several_machines(f"{directory.as_posix()} holds", machines)
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
    """Name the kinds of machine that a baseline has results of, each by its folder.

    Raises BaselineError where there is no baseline.
    """
    _require_baseline(directory)
    return [
        folder.name
        for folder in store.hardware_folders(directory)
        if layout.is_of_a_machine(folder.name)
    ]


def _require_baseline(directory: Path) -> None:
    """Tell a baseline by its environments, which every one that was written has."""
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


Policies = Mapping[tuple[str, str], Metric]


def newest_runs(baseline: Baseline, policies: Policies) -> tuple[Run, ...]:
    """Return what the newest session of each metric measured.

    A baseline holds no tolerances: they come from ``policies``, by case id and metric name, else
    from the built-in metrics, and are 0 elsewhere. The runs are of the environment that most of
    the newest sessions have; what another one measured is absent where its scope forbids that.
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
    return CaseRun(case.case_id, case.case_id, case.front, case.source, tuple(found))


def _policy(case_id: str, name: str, history: MetricHistory, policies: Policies) -> Metric:
    for known in (policies.get((case_id, name)), BUILT_IN.get(name)):
        if known is not None and history.disagreement(known) is None:
            return known.with_policy(gates=history.gates)
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
    # An exact metric that came out the same in every run is written once.
    place = 0 if metric.kind is Kind.EXACT and len(session.runs) == 1 else at
    if mismatch is not None:
        yield Measurement(metric, absent=f"its newest session is of another machine: {mismatch}")
    elif place >= len(session.runs):
        yield Measurement(metric, absent="its newest session has no more runs")
    elif samples is not None:
        whole = session.runs[place] if metric.kind is Kind.SET else None
        yield Measurement(metric, samples.values, samples.ids, whole=whole)
    else:
        yield Measurement(metric, (session.runs[place],))
        if metric.name == LATENCY.name and session.reference:
            yield Measurement(HOST_REFERENCE, (session.reference[place],))


Files = Mapping[str, str]
"""The files of one baseline: by path below its folder, the name of the content."""


def machines_of(files: Iterable[str]) -> set[str]:
    """Return the names of all kinds of machine that have results of their own."""
    tops = {PurePosixPath(path).parts[0] for path in files if "/" in path}
    return set(filter(layout.is_of_a_machine, tops))


class PastBaselines:
    """Reads what many baselines said of one kind of machine, without scores per sample.

    ``content_of`` returns the bytes behind a name, which stands for the same ones each time.
    """

    def __init__(self, hardware_key: str, content_of: Callable[[str], bytes]) -> None:
        self._key = layout.hardware_folder(hardware_key)
        self._content_of = content_of
        self._environments: dict[tuple[str, str], Environment] = {}
        self._modules: dict[tuple[str, str, frozenset[str]], dict[str, CaseHistory]] = {}

    def load(self, files: Files) -> Baseline:
        """Return a baseline; raises BaselineError where a file of it cannot be used."""
        environments = {
            PurePosixPath(path).stem: self._environment(path, name)
            for path, name in files.items()
            if PurePosixPath(path).parts[0] == layout.ENVIRONMENT_FOLDER and _is_json(path)
        }
        known = frozenset(environments)
        cases: dict[str, CaseHistory] = {}
        for folder in (layout.ANYWHERE_FOLDER, self._key):
            for path, name in sorted(files.items()):
                if _is_main(path, folder):
                    store.join_cases(cases, self._module(path, name, known))
        return Baseline(self._key, cases, environments)

    def _environment(self, path: str, name: str) -> Environment:
        known = (path, name)
        if known not in self._environments:
            self._environments[known] = decode_environment(self._text(path, name), path)
        return self._environments[known]

    def _module(self, path: str, name: str, environments: frozenset[str]) -> dict[str, CaseHistory]:
        known = (path, name, environments)
        if known not in self._modules:
            folder, *rest = PurePosixPath(path).parts
            module = layout.module_of(PurePosixPath(*rest))
            text = self._text(path, name)
            cases = decode_levels(text, file=path, module=module, environments=environments)
            store.check_scopes(cases, folder, path)
            self._modules[known] = cases
        return self._modules[known]

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
    return inside and _is_json(path) and not layout.is_samples_file(file)


def load_anchor(directory: Path, hardware_key: str) -> Baseline:
    """Read what the anchor says of one kind of machine.

    Raises BaselineError where it is not there, holds nothing or cannot be read: an anchor that
    was asked for and anchors nothing would pass whatever creeps.
    """
    try:
        there = directory_exists(directory)
        anchor = load(directory, hardware_key)
    except BaselineError as error:
        raise BaselineError(
            "the anchor cannot be used (no update writes it: restore it from git, or freeze it "
            f"anew by a copy of the baseline): {error}"
        ) from error
    if not there:
        raise BaselineError(f"there is no anchor in {directory.as_posix()}: {_WAYS_OUT}")
    if not anchor.cases and not any(anchor.elsewhere.values()):
        raise BaselineError(f"the anchor in {directory.as_posix()} holds no case: {_WAYS_OUT}")
    return anchor


_WAYS_OUT = "freeze one by a copy of the baseline, or configure none with --pareto-anchor="


def several_machines(who: str, machines: Collection[str]) -> BaselineError:
    """Return the error that asks for a choice; ``who`` ends with "hold" or another verb."""
    return BaselineError(
        f"{who} results of {len(machines)} kinds of machine; choose one with --hardware KEY: "
        f"{', '.join(sorted(machines))}"
    )
