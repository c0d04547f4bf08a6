"""The plan of an update: every outcome in every mode, and the entries that must stay."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.updates import Action, Edit, UpdateMode, describe_edits, plan_update
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import (
    FLOPS,
    HOST_REFERENCE,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Rule,
    Scope,
)
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)

CASE = "t/test_m.py::test_a"
ACCURACY = Metric("accuracy", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
IDS = ("a", "b")
NOW = (0.5, 0.6)
_PLACE = Place(Position.KEPT)

# The interval that leads to an outcome, at a tolerance of 5 %.
_INTERVALS = {
    Outcome.WORSE: (0.2, 0.3),
    Outcome.BETTER: (-0.3, -0.2),
    Outcome.UNCHANGED: (-0.01, 0.01),
    Outcome.NOT_WORSE: (-0.2, 0.01),
    Outcome.INCONCLUSIVE: (-0.2, 0.2),
}


def _result(metric: Metric, outcome: Outcome, **other: Any) -> MetricResult:
    if outcome not in _INTERVALS:
        return MetricResult(metric, state=outcome, **other)
    low, high = _INTERVALS[outcome]
    p_worse = 0.0 if outcome is Outcome.WORSE else 0.9
    change = Change(
        estimate=(low + high) / 2, low=low, high=high, tolerance=0.05, relative=True, alpha=0.05,
        p_worse=p_worse, p_better=0.5, resolution=0.1,
    )  # fmt: skip
    result = MetricResult(metric, **{"baseline": 0.4, "candidate": 0.55} | other, change=change)
    assert result.outcome is outcome
    return result


def _run(case_id: str, *metrics: Metric, front: str = "new f", source: str = "new s") -> CaseRun:
    """Return one run; its levels are not read."""
    measurements = tuple(
        Measurement(m, (0.5,) * len(ids or "x"), ids)
        for m in metrics
        for ids in [IDS if m.kind is Kind.PAIRED else ()]
    )
    return CaseRun(case_id, case_id, front, source, measurements)


@dataclass
class Scenario:
    """A baseline and a session after it; `plan` returns the planned update."""

    baseline: Baseline
    environment: Environment
    judged: dict[str, CaseVerdict] = field(default_factory=dict)
    measured: dict[str, tuple[CaseRun, ...]] = field(default_factory=dict)
    levels: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    samples: dict[tuple[str, str], Samples] = field(default_factory=dict)
    breakdowns: dict[tuple[str, str], Breakdown] = field(default_factory=dict)

    def ran(
        self,
        *results: MetricResult,
        case_id: str = CASE,
        levels: Mapping[str, tuple[float, ...]] | None = None,
        ids: tuple[str, ...] = IDS,
        runs: int = 2,
        verdict: Verdict = Verdict.UNCHANGED,
        **other: Any,
    ) -> "Scenario":
        """Add a case that ran; by default a metric has the levels `NOW`."""
        comparison = CaseComparison(case_id, case_id, "new f", results, **other)
        self.judged[case_id] = CaseVerdict(comparison, verdict, _PLACE)
        measured = [r.metric for r in results if r.outcome is not Outcome.MISSING]
        self.measured[case_id] = (_run(case_id, *measured),) * runs
        for metric in measured:
            self.levels[case_id, metric.name] = (levels or {}).get(metric.name, NOW)
            if metric.kind is Kind.PAIRED:
                self.samples[case_id, metric.name] = Samples(ids, (0.1,) * len(ids))
        return self

    def missed(self, case_id: str = CASE) -> "Scenario":
        """Add a case of the baseline that was not measured."""
        comparison = CaseComparison(case_id, case_id, "f", (), missing="it is gone")
        self.judged[case_id] = CaseVerdict(comparison, Verdict.MISSING, _PLACE)
        return self

    def plan(self, mode: UpdateMode, *prune: str) -> tuple[Baseline, tuple[Edit, ...]]:
        """Plan, and check what holds of every plan."""
        judgement = Judgement(tuple(self.judged.values()))
        found = self.measured, self.levels, self.samples, self.breakdowns
        judged = Judged(judgement, self.environment, *found)
        after, edits = plan_update(self.baseline, judged, mode, prune=frozenset(prune))
        assert bool(edits) == (after.cases != self.baseline.cases)
        assert after.hardware_key == self.baseline.hardware_key
        assert after.elsewhere is self.baseline.elsewhere
        used = {
            session.env
            for case in after.cases.values()
            for history in case.metrics.values()
            for session in history.sessions
        }
        assert used <= after.environments.keys()
        return after, edits


History = Callable[..., MetricHistory]
Case = Callable[..., CaseHistory]
MakeScenario = Callable[..., Scenario]
ALL_MODES = tuple(UpdateMode)


@pytest.fixture
def scenario(case: Case, baseline: Callable[..., Baseline], gpu: Environment) -> MakeScenario:
    """Build a scene with one case in the baseline, or none; the session ran on newer software."""

    def build(**metrics: MetricHistory) -> Scenario:
        cases = [case(CASE, front="old f", source="old s", **metrics)] if metrics else []
        return Scenario(baseline(*cases), replace(gpu, software={"torch": "2.14.0"}))

    return build


def _sessions(after: Baseline, metric: str) -> list[tuple[int, tuple[float, ...]]]:
    return [(s.epoch, s.runs) for s in after.cases[CASE].metrics[metric].sessions]


OLD = (0, (0.4, 0.41))
OLDER = (0, (0.3,))
ADD, APPEND, DROP = Action.ADD, Action.APPEND, Action.DROP
WORSE, BETTER, CHANGE = Action.ACCEPT_WORSE, Action.ACCEPT_BETTER, Action.ACCEPT_CHANGE
C, N, R, A = UpdateMode.CHANGED, UpdateMode.NEW, UpdateMode.RUNS, UpdateMode.ALL


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        (Outcome.WORSE, {C: WORSE, A: WORSE}),
        (Outcome.BETTER, {C: BETTER, A: BETTER}),
        (Outcome.UNCHANGED, {R: APPEND, A: APPEND}),
        (Outcome.NOT_WORSE, {R: APPEND, A: APPEND}),
        (Outcome.INCONCLUSIVE, {R: APPEND, A: APPEND}),
        (Outcome.BROKEN, {A: CHANGE}),
        (Outcome.NOT_COMPARABLE, {C: CHANGE, A: CHANGE}),  # on the same kind of machine
        (Outcome.NEW, {C: ADD, N: ADD, A: ADD}),
        (Outcome.MISSING, {A: DROP}),
    ],
)
@pytest.mark.parametrize("mode", ALL_MODES)
def test_what_each_mode_does_with_each_outcome(
    scenario: MakeScenario,
    history: History,
    outcome: Outcome,
    wanted: dict[UpdateMode, Action],
    mode: UpdateMode,
) -> None:
    old = history("latency", OLDER[1], OLD[1])
    kept = history("peak_memory", (8.0,))
    setting = scenario(latency=old, peak_memory=kept).ran(_result(LATENCY, outcome))
    after, edits = setting.plan(mode)
    action = wanted.get(mode)
    assert [edit.action for edit in edits] == [action] * (action is not None)
    assert after.cases[CASE].metrics["peak_memory"] == kept
    if action is None:
        assert after == setting.baseline
    elif action is DROP:
        assert set(after.cases[CASE].metrics) == {"peak_memory"}
    elif outcome is Outcome.BROKEN:
        assert _sessions(after, "latency") == [(0, NOW)]
    else:
        epoch = 1 if action.accepts else 0
        assert _sessions(after, "latency") == [OLDER, OLD, (epoch, NOW)]
        newest = after.cases[CASE].metrics["latency"].newest
        assert newest.env == environment_key(setting.environment)
        assert after.environments[newest.env] == setting.environment


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("outcome", [Outcome.NEW, Outcome.NOT_COMPARABLE, Outcome.UNCHANGED])
def test_a_case_without_history_is_added(
    scenario: MakeScenario, outcome: Outcome, mode: UpdateMode
) -> None:
    """Also where it was compared with another commit instead of a stored baseline."""
    setting = scenario().ran(_result(LATENCY, outcome), _result(ACCURACY, Outcome.NEW))
    after, edits = setting.plan(mode)
    if mode is R:
        assert after == setting.baseline
        return
    assert edits == (
        Edit(CASE, "accuracy", ADD, "2 runs"),
        Edit(CASE, "latency", ADD, "2 runs"),
    )
    entry = after.cases[CASE]
    assert (entry.front, entry.source) == ("new f", "new s")
    assert entry.metrics["latency"] == MetricHistory(
        "s",
        Better.LOWER,
        Kind.RUN,
        Scope.HOST,
        (Session(environment_key(setting.environment), 0, NOW),),
        rule=Rule(0.05, relative=True),
    )
    assert entry.metrics["accuracy"].samples == Samples(IDS, (0.1, 0.1))


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("outcome", [Outcome.ABSENT, Outcome.MISSING, Outcome.BROKEN])
def test_without_history_nothing_is_contradicted_or_dropped(
    scenario: MakeScenario, outcome: Outcome, mode: UpdateMode
) -> None:
    setting = scenario().ran(_result(LATENCY, outcome, reason="why"))
    if outcome is Outcome.ABSENT:
        del setting.levels[CASE, "latency"]
    assert setting.plan(mode) == (setting.baseline, ())


@pytest.mark.parametrize("mode", ALL_MODES)
def test_an_unmeasured_metric_changes_nothing(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    """Its test still requests it, so it has not vanished, whatever its outcome."""
    setting = scenario(latency=history("latency", OLD[1])).ran(_result(LATENCY, Outcome.ABSENT))
    setting.judged.clear()
    absent = MetricResult(LATENCY, state=Outcome.MISSING, reason="no clock; the baseline has it")
    comparison = CaseComparison(CASE, CASE, "f", (absent,))
    setting.judged[CASE] = CaseVerdict(comparison, Verdict.MISSING, _PLACE)
    failed = (Measurement(LATENCY, absent="no clock"),)
    setting.measured[CASE] = (CaseRun(CASE, CASE, "f", "s", failed),)
    setting.levels.clear()
    assert setting.plan(mode, CASE) == (setting.baseline, ())
    # The control: where no run requests it, ALL drops it, and the case with its last metric.
    setting.measured[CASE] = (CaseRun(CASE, CASE, "f", "s", ()),)
    after, edits = setting.plan(mode, CASE)
    assert edits == ((Edit(CASE, "latency", DROP, "no longer measured"),) if mode is A else ())
    assert (CASE in after.cases) == (mode is not A)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_session_of_another_machine_joins_the_accepted_epoch(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    setting = scenario(latency=history("latency", OLD[1])).ran(
        _result(LATENCY, Outcome.NOT_COMPARABLE)
    )
    setting.environment = replace(setting.environment, cpu_model="another")
    after, edits = setting.plan(mode)
    if mode is R:
        assert after == setting.baseline
    else:
        assert edits == (Edit(CASE, "latency", ADD, "2 runs"),)
        assert _sessions(after, "latency") == [OLD, (OLD[0], NOW)]


@pytest.mark.parametrize("is_other_machine", [False, True])
@pytest.mark.parametrize(
    "then",
    [
        {"unit": "ms"},
        {"better": Better.LOWER},
        {"kind": Kind.RUN, "samples": None},
        {"samples": Samples(("a", "z"), (0.5, 0.5))},
    ],
)
def test_another_quantity_replaces_the_history_and_never_in_mode_new(
    scenario: MakeScenario, history: History, then: dict[str, Any], is_other_machine: bool
) -> None:
    old = history("accuracy", (0.7,), (0.8,), epochs=(3, 4), **then)
    setting = scenario(accuracy=old).ran(_result(ACCURACY, Outcome.NOT_COMPARABLE, reason="why"))
    if is_other_machine:
        setting.environment = replace(setting.environment, power_limits_w=(500.0,))
    for mode in (N, R):
        assert setting.plan(mode) == (setting.baseline, ())
    for mode in (C, A):
        after, edits = setting.plan(mode)
        assert edits == (Edit(CASE, "accuracy", CHANGE, "why"),)
        assert after.cases[CASE].metrics["accuracy"] == MetricHistory(
            "",
            Better.HIGHER,
            Kind.PAIRED,
            Scope.GPU,
            (Session(environment_key(setting.environment), 0, NOW),),
            Samples(IDS, (0.1, 0.1)),
            rule=Rule.of(ACCURACY, (), gate=True),
        )


@pytest.mark.parametrize(
    ("outcome", "mode"),
    [(Outcome.WORSE, C), (Outcome.BETTER, C), (Outcome.UNCHANGED, R), (Outcome.NEW, N)],
)
def test_a_written_entry_has_the_parts_of_the_session(
    scenario: MakeScenario, history: History, outcome: Outcome, mode: UpdateMode
) -> None:
    old = replace(history("latency", OLD[1]), breakdown=Breakdown((Part("before", 0.4),)))
    now = Breakdown((Part("now", 0.5, 1),))
    other = replace(history("peak_memory", (8.0,)), breakdown=Breakdown((Part("kept", 8.0),)))
    setting = scenario(latency=old, peak_memory=other).ran(_result(LATENCY, outcome))
    setting.breakdowns[CASE, "latency"] = now
    after, _ = setting.plan(mode)
    metrics = after.cases[CASE].metrics
    assert metrics["latency"].breakdown == now
    assert metrics["peak_memory"].breakdown == other.breakdown


def test_the_same_samples_in_another_order_are_the_same(
    scenario: MakeScenario, history: History
) -> None:
    setting = scenario(accuracy=history("accuracy", (0.7,)))
    setting.ran(_result(ACCURACY, Outcome.NOT_COMPARABLE), ids=("b", "a"))
    after, _ = setting.plan(C)
    assert _sessions(after, "accuracy") == [(0, (0.7,)), (1, NOW)]


@pytest.mark.parametrize(
    ("outcome", "levels", "action", "stored"),
    [
        (Outcome.UNCHANGED, (8.0, 8.0), APPEND, (0, (8.0,))),
        (Outcome.UNCHANGED, (9.0, 9.0), CHANGE, (1, (9.0,))),
        (Outcome.NOT_WORSE, (7.0, 7.0), CHANGE, (1, (7.0,))),
        (Outcome.UNCHANGED, (8.0, 9.0), CHANGE, (1, (8.0, 9.0))),
        (Outcome.UNCHANGED, (8.0, 7.0), CHANGE, (1, (8.0, 7.0))),
        (Outcome.WORSE, (16.0, 16.0), WORSE, (1, (16.0,))),
        (Outcome.BETTER, (4.0, 4.0), BETTER, (1, (4.0,))),
    ],
)
def test_an_exact_metric_keeps_its_newest_session(
    scenario: MakeScenario,
    history: History,
    outcome: Outcome,
    levels: tuple[float, ...],
    action: Action,
    stored: tuple[int, tuple[float, ...]],
) -> None:
    setting = scenario(peak_memory=history("peak_memory", (8.0,)))
    setting.ran(_result(PEAK_MEMORY, outcome), levels={"peak_memory": levels})
    after, edits = setting.plan(A)
    assert [edit.action for edit in edits] == [action]
    assert _sessions(after, "peak_memory") == [stored]
    changed, edits = setting.plan(C)
    assert [edit.action for edit in edits] == [action] * (action is not APPEND)
    assert (changed == setting.baseline) == (action is APPEND)
    _, edits = setting.plan(R)
    assert [edit.action for edit in edits] == [action] * (action is APPEND)


@pytest.mark.parametrize(
    "moved", [Outcome.WORSE, Outcome.BETTER, Outcome.BROKEN, Outcome.NOT_COMPARABLE]
)
def test_mode_runs_skips_changed_cases(
    scenario: MakeScenario, history: History, moved: Outcome
) -> None:
    metrics = {"latency": history("latency", OLD[1]), "accuracy": history("accuracy", (0.5,))}
    setting = scenario(**metrics).ran(_result(LATENCY, Outcome.UNCHANGED), _result(ACCURACY, moved))
    assert setting.plan(R) == (setting.baseline, ())
    # The control: a new or unmeasured metric is no change.
    setting = scenario(latency=metrics["latency"]).ran(
        _result(LATENCY, Outcome.UNCHANGED), _result(ACCURACY, Outcome.NEW)
    )
    after, edits = setting.plan(R)
    assert edits == (Edit(CASE, "latency", APPEND, "2 runs"),)
    assert set(after.cases[CASE].metrics) == {"latency"}


def test_the_newest_six_sessions_are_kept(scenario: MakeScenario, history: History) -> None:
    sessions = tuple((float(i),) for i in range(1, 7))
    epochs = (0, 0, 1, 1, 1, 2)
    setting = scenario(latency=history("latency", *sessions, epochs=epochs)).ran(
        _result(LATENCY, Outcome.UNCHANGED)
    )
    after, _ = setting.plan(R)
    expected = [*zip(epochs, sessions, strict=True), (2, NOW)]
    assert _sessions(after, "latency") == expected[1:]


def test_the_accepted_scores_stay_the_reference(scenario: MakeScenario, history: History) -> None:
    """Otherwise a score could drift down by less than its tolerance per session."""
    past = history("accuracy", (0.7,))
    unchanged = scenario(accuracy=past).ran(_result(ACCURACY, Outcome.INCONCLUSIVE))
    after, _ = unchanged.plan(R)
    rule = Rule.of(ACCURACY, (), gate=True)
    assert after.cases[CASE].metrics["accuracy"] == replace(past, rule=rule)
    accepted = scenario(accuracy=past).ran(_result(ACCURACY, Outcome.BETTER))
    after, _ = accepted.plan(C)
    assert after.cases[CASE].metrics["accuracy"].samples == Samples(IDS, (0.1, 0.1))


def test_front_and_source_change_only_when_written(
    scenario: MakeScenario, history: History
) -> None:
    setting = scenario(latency=history("latency", OLD[1])).ran(_result(LATENCY, Outcome.UNCHANGED))
    for mode, names in ((C, ("old f", "old s")), (R, ("new f", "new s"))):
        after, _ = setting.plan(mode)
        assert (after.cases[CASE].front, after.cases[CASE].source) == names


def test_a_metric_takes_its_present_scope(scenario: MakeScenario, history: History) -> None:
    setting = scenario(accuracy=history("accuracy", (0.7,))).ran(
        _result(replace(ACCURACY, scope=Scope.ANYWHERE), Outcome.BETTER)
    )
    after, _ = setting.plan(C)
    assert after.cases[CASE].metrics["accuracy"].scope is Scope.ANYWHERE


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("fault", ["broken", "incomplete", "not measured"])
def test_a_failed_or_incomplete_case_keeps_its_entry(
    scenario: MakeScenario, history: History, fault: str, mode: UpdateMode
) -> None:
    other = "t/test_m.py::test_other"
    setting = scenario(latency=history("latency", OLD[1]), flops=history("flops", (8.0,)))
    results = _result(LATENCY, Outcome.WORSE), _result(FLOPS, Outcome.MISSING)
    broken = "assert False" if fault == "broken" else None
    setting.ran(*results, runs=1 if fault == "incomplete" else 2, broken=broken)
    if fault == "not measured":
        del setting.measured[CASE]
    setting.ran(_result(LATENCY, Outcome.NEW), case_id=other)
    after, edits = setting.plan(mode, CASE)
    assert {edit.case_id for edit in edits} <= {other}
    assert after.cases[CASE] == setting.baseline.cases[CASE]


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_session_that_measured_nothing_writes_nothing(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    setting = scenario(latency=history("latency", OLD[1])).ran(
        _result(LATENCY, Outcome.WORSE), runs=0
    )
    assert setting.plan(mode) == (setting.baseline, ())


@pytest.mark.parametrize("mode", ALL_MODES)
def test_only_mode_all_drops_a_case_that_is_gone(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    setting = scenario(
        latency=history("latency", OLD[1]), accuracy=history("accuracy", (0.7,))
    ).missed()
    setting.ran(_result(LATENCY, Outcome.MISSING), case_id="t/test_m.py::test_never_recorded")
    setting.missed("t/test_m.py::test_unknown")
    assert setting.plan(mode) == (setting.baseline, ())
    assert setting.plan(mode, "another") == (setting.baseline, ())
    after, edits = setting.plan(mode, CASE, "t/test_m.py::test_unknown")
    if mode is A:
        assert after.cases == {}
        assert edits == (
            Edit(CASE, "accuracy", DROP, "its test is gone"),
            Edit(CASE, "latency", DROP, "its test is gone"),
        )
        # A dropped entry needs no environment.
        assert after.environments == setting.baseline.environments
    else:
        assert (after, edits) == (setting.baseline, ())


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_subset_of_tests_drops_nothing(
    scenario: MakeScenario, history: History, case: Case, mode: UpdateMode
) -> None:
    setting = scenario(latency=history("latency", OLD[1]))
    unselected = case("t/test_z.py::test_z", latency=history("latency", (9.0,)))
    setting.baseline = replace(
        setting.baseline, cases={**setting.baseline.cases, unselected.case_id: unselected}
    )
    setting.ran(_result(LATENCY, Outcome.WORSE))
    after, _ = setting.plan(mode)
    assert after.cases.keys() == setting.baseline.cases.keys()
    assert after.cases[unselected.case_id] == unselected


def test_edits_are_sorted_by_case_and_metric(scenario: MakeScenario) -> None:
    setting = scenario()
    for case_id in ("b.py::t", "a.py::t"):
        setting.ran(
            _result(PEAK_MEMORY, Outcome.NEW), _result(LATENCY, Outcome.NEW), case_id=case_id
        )
    _, edits = setting.plan(C)
    assert [(edit.case_id, edit.metric) for edit in edits] == [
        ("a.py::t", "latency"),
        ("a.py::t", "peak_memory"),
        ("b.py::t", "latency"),
        ("b.py::t", "peak_memory"),
    ]


@pytest.mark.parametrize(
    ("metric", "outcome", "levels", "detail"),
    [
        (LATENCY, Outcome.WORSE, {"baseline": 0.412345, "candidate": 0.5}, "0.4123 → 0.5 s"),
        (ACCURACY, Outcome.BETTER, {"baseline": 0.9, "candidate": 0.95}, "0.9 → 0.95"),
        (
            PEAK_MEMORY,
            Outcome.WORSE,
            {"baseline": 8589934592.0, "candidate": 8589934593.0},
            "8589934592 → 8589934593 B",
        ),
        (LATENCY, Outcome.NOT_COMPARABLE, {"reason": "why"}, "why"),
        (LATENCY, Outcome.NOT_COMPARABLE, {}, "recorded afresh"),
        (LATENCY, Outcome.WORSE, {"candidate": None}, "recorded afresh"),
    ],
)
def test_details_name_the_accepted_level(
    scenario: MakeScenario,
    history: History,
    metric: Metric,
    outcome: Outcome,
    levels: dict[str, Any],
    detail: str,
) -> None:
    setting = scenario(**{metric.name: history(metric.name, (0.5,))})
    _, edits = setting.ran(_result(metric, outcome, **levels)).plan(C)
    assert [edit.detail for edit in edits] == [detail]


def test_one_run_is_singular(scenario: MakeScenario) -> None:
    setting = scenario().ran(_result(LATENCY, Outcome.NEW), levels={"latency": (0.5,)}, runs=1)
    _, edits = setting.plan(C)
    assert edits == (Edit(CASE, "latency", ADD, "1 run"),)


def test_names_of_actions_and_modes() -> None:
    assert [str(mode) for mode in UpdateMode] == ["changed", "new", "runs", "all"]
    assert [str(action) for action in Action] == [
        "add", "accept-worse", "accept-better", "accept-change", "append", "drop",
    ]  # fmt: skip


def test_the_host_reference_is_stored_with_the_latency_only(
    scenario: MakeScenario, history: History
) -> None:
    results = [_result(LATENCY, Outcome.WORSE), _result(HOST_REFERENCE, Outcome.WORSE)]
    levels = {"host_reference": (0.002, 0.003)}
    setting = scenario(latency=history("latency", OLD[1])).ran(*results, levels=levels)
    after, edits = setting.plan(UpdateMode.CHANGED)
    assert [edit.metric for edit in edits] == ["latency"]
    assert set(after.cases[CASE].metrics) == {"latency"}
    assert after.cases[CASE].metrics["latency"].newest.reference == (0.002, 0.003)


def test_an_incomplete_reference_is_not_stored(scenario: MakeScenario, history: History) -> None:
    results = [_result(LATENCY, Outcome.WORSE), _result(HOST_REFERENCE, Outcome.WORSE)]
    levels = {"host_reference": (0.002,)}
    setting = scenario(latency=history("latency", OLD[1])).ran(*results, levels=levels)
    after, _ = setting.plan(UpdateMode.CHANGED)
    assert after.cases[CASE].metrics["latency"].newest.reference == ()


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_latency_at_another_host_speed_moves_the_level_in_mode_all(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    apart = _result(LATENCY, Outcome.NOT_COMPARABLE, baseline=0.4, reason="slow", for_now=True)
    setting = scenario(latency=history("latency", OLD[1])).ran(apart)
    _, edits = setting.plan(mode)
    assert [edit.action for edit in edits] == [CHANGE] * (mode is A)


def test_edits_of_a_case_with_one_action_share_a_line() -> None:
    edits = (
        Edit(CASE, "accuracy", Action.ADD, "1 run"),
        Edit(CASE, "latency", Action.ADD, "1 run"),
        Edit(CASE, "energy", Action.DROP, "no longer measured"),
    )
    assert describe_edits(edits) == (
        f"add: {CASE} accuracy, latency (1 run)",
        f"drop: {CASE} energy (no longer measured)",
    )


BOUND = "without the FLOPs of mylib.kernel"


@pytest.mark.parametrize("mode", ALL_MODES)
def test_a_lower_bound_replaces_a_level_on_request_only(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    old = history("flops", (8.0,))
    result = _result(FLOPS, Outcome.NOT_COMPARABLE, lower_bound=BOUND, reason="why")
    setting = scenario(flops=old).ran(result, levels={"flops": (4.0, 4.0)})
    after, edits = setting.plan(mode)
    if mode is not A:
        assert (after, edits) == (setting.baseline, ())
        return
    assert [edit.action for edit in edits] == [CHANGE]
    newest = after.cases[CASE].metrics["flops"].newest
    assert (newest.runs, newest.lower_bound) == ((4.0,), BOUND)


@pytest.mark.parametrize("mode", ALL_MODES)
def test_the_first_level_after_a_lower_bound_is_added(
    scenario: MakeScenario, history: History, mode: UpdateMode
) -> None:
    old = history("flops", (4.0,))
    bounded = replace(old, sessions=(replace(old.newest, lower_bound=BOUND),))
    result = _result(FLOPS, Outcome.NOT_COMPARABLE, reason="why")
    setting = scenario(flops=bounded).ran(result, levels={"flops": (8.0, 8.0)})
    after, edits = setting.plan(mode)
    if mode is R:
        assert (after, edits) == (setting.baseline, ())
        return
    assert [edit.action for edit in edits] == [ADD]
    (only,) = after.cases[CASE].metrics["flops"].sessions
    assert (only.epoch, only.runs, only.lower_bound) == (0, (8.0,), "")


def test_a_new_lower_bound_is_recorded_as_one(scenario: MakeScenario) -> None:
    result = _result(FLOPS, Outcome.NEW, lower_bound=BOUND)
    after, _ = scenario().ran(result, levels={"flops": (4.0, 4.0)}).plan(N)
    assert after.cases[CASE].metrics["flops"].newest.lower_bound == BOUND


class CountedRuns(dict[str, tuple[CaseRun, ...]]):
    """The runs of each case; ``read`` is how often all of them were asked for."""

    read = 0

    def values(self) -> Any:
        self.read += 1
        return super().values()


def test_cases_are_not_counted_again_for_each_case(scenario: MakeScenario) -> None:
    setting = scenario()
    setting.measured = runs = CountedRuns()
    for number in range(5):
        setting.ran(_result(LATENCY, Outcome.NEW), case_id=f"{CASE}[{number}]")
    _, edits = setting.plan(A)
    assert len(edits) == 5
    assert runs.read == 1
