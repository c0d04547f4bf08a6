"""Files of readings: a round trip returns the same, and errors name file and line."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import FLOPS, LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.model.run import CaseRun, Looks, Measurement
from pytest_pareto.testing import ReplayMeter, read_readings, record_readings, replay_meters

RECORDED = Path(__file__).parents[1] / "data" / "h200_replay.jsonl"


def case_run(case_id: str, *measurements: Measurement) -> CaseRun:
    return CaseRun(case_id, case_id, "front", "source", measurements)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two runs of two cases; only the first has FLOPs, and the second run has no second case."""
    path = tmp_path / "readings.jsonl"
    first = case_run("a", Measurement(LATENCY, (0.1, 0.11), first=0.9), Measurement(FLOPS, (7.0,)))
    again = case_run("a", Measurement(LATENCY, (0.2,)), Measurement(FLOPS, absent="no torch"))
    record_readings(path, [[first, case_run("b", Measurement(LATENCY, (0.3,)))], [again]])
    return path


def replayed(meter: ReplayMeter, case_id: str) -> Measurement:
    _, (found,) = measure_call(int, (), {}, meters=[meter], case_id=case_id)
    return found


class TestReplay:
    def test_a_case_gets_its_own_readings_of_its_run(self, file: Path) -> None:
        latency, flops = replay_meters(file, run=0)
        assert replayed(latency, "a") == Measurement(LATENCY, (0.1, 0.11), first=0.9)
        assert replayed(flops, "a") == Measurement(FLOPS, (7.0,))
        assert replayed(latency, "b") == Measurement(LATENCY, (0.3,))
        latency, flops = replay_meters(file, run=1)
        assert replayed(latency, "a") == Measurement(LATENCY, (0.2,))
        assert replayed(flops, "a") == Measurement(FLOPS, absent="no torch")

    def test_a_change_is_planted_by_a_factor(self, file: Path) -> None:
        latency, flops = replay_meters(file, scale={"latency": 1.5})
        assert replayed(latency, "a").values == pytest.approx((0.15, 0.165))
        assert replayed(latency, "a").first == pytest.approx(1.35)
        assert replayed(flops, "a").values == (7.0,)

    def test_metrics_can_be_chosen(self, file: Path) -> None:
        assert [meter.metrics for meter in replay_meters(file, metrics=["flops"])] == [(FLOPS,)]

    def test_the_function_is_called_once(self, file: Path) -> None:
        called: list[int] = []
        measure_call(called.append, (1,), {}, meters=replay_meters(file), case_id="a")
        assert called == [1]

    @pytest.mark.parametrize(
        ("case_id", "run", "reason"),
        [
            ("c", 0, "run 0 has no case 'c'; it has a, b"),
            ("b", 0, "run 0 has no 'flops' of case 'b'; it has latency"),
            ("b", 1, "run 1 has no case 'b'; it has a"),
        ],
    )
    def test_what_was_not_recorded_is_an_error(
        self, file: Path, case_id: str, run: int, reason: str
    ) -> None:
        _, flops = replay_meters(file, run=run)
        calls = Calls(int, lambda: ((), {}), clock=int, case_id=case_id)
        with pytest.raises(ParetoError) as raised:
            flops.measure(calls)
        assert str(raised.value) == f"{file}: {reason}"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"run": 2}, "has 2 runs, numbered from 0 to 1; there is no 2"),
            ({"run": -1}, "there is no -1"),
            ({"metrics": ["energy"]}, "has no metric 'energy'; it has flops, latency"),
            ({"scale": {"energy": 2.0}}, "has no metric 'energy'"),
            ({"scale": {"latency": 0.0}}, "scale of 'latency' must be a finite number > 0"),
        ],
    )
    def test_what_the_file_does_not_have_is_an_error(
        self, file: Path, options: Mapping[str, Any], message: str
    ) -> None:
        with pytest.raises(ParetoError, match=message):
            replay_meters(file, **options)


def edit(file: Path, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change one line (from 1) of a file of JSON lines."""
    lines = file.read_text().splitlines()
    content = json.loads(lines[number - 1])
    change(content)
    lines[number - 1] = json.dumps(content)
    file.write_text("\n".join(lines) + "\n")


class TestAFileThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("number", "change", "message"),
        [
            (1, lambda c: c.update(format="other"), "line 1: expected the format 'pytest-pareto"),
            (1, lambda c: c.update(runs=0), r"line 1: Expected `int` >= 1 - at `\$.runs`"),
            (1, lambda c: c.update(runs=3), "line 2: expected 3 runs, got 2"),
            (1, lambda c: c.pop("version"), "line 1: Object missing required field `version`"),
            (2, lambda c: c.pop("case"), "line 2: Object missing required field `case`"),
            (2, lambda c: c.update(spare=1), "line 2: Object contains unknown field `spare`"),
            (2, lambda c: c["metric"].update(kind="odd"), "line 2: Invalid enum value 'odd'"),
            (2, lambda c: c["metric"].update(tolerance=-1), "line 2: tolerance of 'latency' must"),
            (2, lambda c: c["runs"][0].update(values=["x"]), "line 2: Expected `float`, got `str`"),
            (2, lambda c: c["runs"][0].update(values=[-1.0]), "line 2: 'latency' is -1.0"),
            (2, lambda c: c["runs"][0].update(absent="both"), "line 2: 'latency' needs either"),
            (2, lambda c: c["runs"][0].update(values=[float("nan")]), "line 2: JSON is malformed"),
            (3, lambda c: c["metric"].update(name="latency"), "'latency' of 'a' is on line 2"),
        ],
    )
    def test_its_place_is_named(
        self, file: Path, number: int, change: Callable[[dict[str, Any]], None], message: str
    ) -> None:
        edit(file, number, change)
        with pytest.raises(ParetoError, match=message) as raised:
            read_readings(file)
        assert str(raised.value).startswith(f"{file}, line ")
        assert str(raised.value).endswith(". Record the readings again")

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"{", b"[]", b"\xff", b'"' + b"[" * 9999, b"[" * 9999]
    )
    def test_what_is_no_such_file_at_all(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "readings.jsonl"
        path.write_bytes(content)
        with pytest.raises(ParetoError, match=r"readings\.jsonl, line 1: "):
            read_readings(path)

    def test_one_that_was_cut_short(self, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-30])
        with pytest.raises(ParetoError, match="line 4: Input data was truncated"):
            read_readings(file)

    def test_one_of_a_newer_version(self, file: Path) -> None:
        edit(file, 1, lambda c: c.update(version=2, zipped=True))
        with pytest.raises(ParetoError, match=r"version 2 was written by a newer pytest-pareto; u"):
            read_readings(file)

    def test_one_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ParetoError, match=r"gone\.jsonl cannot be read: No such file"):
            replay_meters(tmp_path / "gone.jsonl")


class TestRecording:
    def test_runs_of_two_versions_of_a_test_are_refused(self, tmp_path: Path) -> None:
        loose = Measurement(LATENCY.with_policy(tolerance=0.5), (0.1,))
        runs = [[case_run("a", Measurement(LATENCY, (0.1,)))], [case_run("a", loose)]]
        with pytest.raises(ParetoError, match="'latency' of a is not the same metric in every run"):
            record_readings(tmp_path / "readings.jsonl", runs)

    @pytest.mark.parametrize("runs", [[], [[]], [[case_run("a")]]])
    def test_nothing_is_not_recorded(
        self, tmp_path: Path, runs: Sequence[Sequence[CaseRun]]
    ) -> None:
        with pytest.raises(ParetoError, match="there are no readings to record"):
            record_readings(tmp_path / "readings.jsonl", runs)
        assert not list(tmp_path.iterdir())


@st.composite
def metrics(draw: st.DrawFn, name: str) -> Metric:
    share = st.floats(0, 1e6)
    return Metric(
        name,
        draw(st.sampled_from(["s", "J", "B", "count", ""])),
        draw(st.sampled_from(Better)),
        draw(st.sampled_from(Kind)),
        draw(st.sampled_from(Scope)),
        draw(share),
        relative=draw(st.booleans()),
        gates=draw(st.booleans()),
        give_up=draw(st.none() | share),
    )


@st.composite
def measurements(draw: st.DrawFn, metric: Metric) -> Measurement:
    notes = tuple(draw(st.lists(st.text(), max_size=2)))
    if draw(st.booleans()):
        return Measurement(metric, absent=draw(st.text()), notes=notes, broken=draw(st.booleans()))
    value = st.floats(0 if metric.relative else None, allow_nan=False, allow_infinity=False)
    most = 1 if metric.kind is Kind.EXACT else 5
    values = tuple(draw(st.lists(value, min_size=1, max_size=most)))
    ids = st.lists(st.text(), min_size=len(values), max_size=len(values), unique=True)
    return Measurement(
        metric,
        values,
        tuple(draw(ids)) if metric.kind.sampled else (),
        first=draw(st.none() | value),
        notes=notes,
        whole=draw(value) if metric.kind is Kind.SET else None,
        looks=draw(st.none() | stopped_after(len(values))) if metric.kind.sampled else None,
        lower_bound=draw(st.none() | st.just("without x")) if metric.kind is Kind.EXACT else None,
    )


@st.composite
def stopped_after(draw: st.DrawFn, used: int) -> Looks:
    planned = draw(st.integers(used, 2 * used))
    return Looks(planned, planned, used, draw(st.integers(0, 2**63)))


@st.composite
def sessions(draw: st.DrawFn) -> list[list[CaseRun]]:
    names = draw(st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True))
    cases = draw(st.lists(st.text(), min_size=1, max_size=3, unique=True))
    defined = {(case, name): draw(metrics(name)) for case in cases for name in names}
    count = draw(st.integers(1, 3))
    return [
        [
            case_run(case, *(draw(measurements(defined[case, name])) for name in names))
            for case in cases
        ]
        for _ in range(count)
    ]


@given(sessions())
def test_what_was_recorded_is_what_is_replayed(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[CaseRun]]
) -> None:
    path = tmp_path_factory.mktemp("readings") / "readings.jsonl"
    record_readings(path, runs)
    for number, run in enumerate(runs):
        meters = replay_meters(path, run=number)
        for case in run:
            calls = Calls(int, lambda: ((), {}), clock=int, case_id=case.case_id)
            found = tuple(each for meter in meters for each in meter.measure(calls))
            assert found == case.measurements


def test_what_we_recorded_on_an_h200_can_be_read() -> None:
    readings = read_readings(RECORDED)
    assert len(readings.runs) == 8
    assert len(readings.runs[0]) == 3
    assert readings.metrics.keys() >= {"latency", "device_time", "energy", "peak_memory"}
    assert readings.metrics["latency"] == LATENCY


def test_impossible_looks_are_an_error_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    score = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
    looked = Measurement(score, (1.0,), ("a",), looks=Looks(5, 5, 1, 0))
    record_readings(path, [[case_run("a", looked)]])
    path.write_text(path.read_text().replace('"at":1', '"at":9'))
    with pytest.raises(ParetoError, match=r"line 2: look 9 of 5 over 5 samples"):
        read_readings(path)
