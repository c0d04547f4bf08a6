import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pytest_pareto.measure.asynchronous import AwaitedFunction, AwaitedStream
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.stages import (
    NoStagesError,
    stage_measurements,
    stage_metric,
    stages_of,
)
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Scope


class FixedStages:
    """A staged callable that reports the given stage times, or raises the given exception."""

    def __init__(self, reported: Mapping[str, float] | Exception) -> None:
        self.reported = reported

    def __call__(self) -> None: ...

    def stages(self) -> Mapping[str, float]:
        if isinstance(self.reported, Exception):
            raise self.reported
        return self.reported


def test_stages_are_those_that_the_callable_reports() -> None:
    assert stages_of(FixedStages({"read": 0.5})) == {"read": 0.5}


def test_the_reason_for_none_has_no_traceback() -> None:
    found = stages_of(FixedStages(NoStagesError("it was not called yet", ("read",))))
    assert isinstance(found, NoStagesError)
    assert (found.reason, found.names, str(found)) == (
        "it was not called yet",
        ("read",),
        "it was not called yet",
    )
    assert found.__traceback__ is None


def test_a_defect_of_the_callable_is_not_taken_for_a_reason() -> None:
    with pytest.raises(ZeroDivisionError):
        stages_of(FixedStages(ZeroDivisionError()))


def test_an_unrelated_method_of_that_name_does_not_count() -> None:
    class Wanting:
        def stages(self, index: int) -> list[int]:
            return [1, 2, 3][index:]

    class Listing:
        def stages(self) -> list[str]:
            return ["encode"]

    assert stages_of(Wanting()) is None
    assert stages_of(Listing()) is None


def test_what_is_not_staged_has_no_stages() -> None:
    class Backbone:
        """Like vision models: the instance attribute `stages` holds callable layers."""

        def __init__(self) -> None:
            self.stages = FixedStages({})

        def __call__(self) -> None: ...

    assert stages_of(len) is None
    assert stages_of(lambda: None) is None
    assert stages_of(Backbone()) is None


def test_a_stage_is_a_diagnostic_of_this_host() -> None:
    metric = stage_metric("decode")
    assert (metric.name, metric.unit, metric.better) == ("decode_time", "s", Better.LOWER)
    assert (metric.kind, metric.scope) == (Kind.RUN, Scope.HOST)
    assert (metric.tolerance, metric.relative, metric.gates) == (0.05, True, False)


@pytest.mark.parametrize("stage", ["event", "device"])
def test_a_stage_cannot_take_the_name_of_another_metric(stage: str) -> None:
    with pytest.raises(ParetoError, match=f"'{stage}_time' is a metric of its own"):
        stage_measurements([{stage: 1.0}])


def test_every_round_is_a_reading_of_every_stage() -> None:
    read, write = stage_measurements([{"read": 1.0, "write": 2.0}, {"write": 4.0, "read": 3.0}])
    assert (read.metric, read.values) == (stage_metric("read"), (1.0, 3.0))
    assert (write.metric, write.values) == (stage_metric("write"), (2.0, 4.0))


@pytest.mark.parametrize("rounds", [[], [None, None], [{}]])
def test_without_stages_there_is_nothing_to_report(
    rounds: list[Mapping[str, float] | None],
) -> None:
    assert stage_measurements(rounds) == ()


def test_one_call_without_stages_makes_them_absent() -> None:
    reason = NoStagesError("it went elsewhere", ("read", "write"))
    found = stage_measurements([{"read": 1.0}, reason, {"read": 1.0}])
    assert [each.metric.name for each in found] == ["read_time", "write_time"]
    assert {each.absent for each in found} == {"it went elsewhere"}


def test_calls_that_differ_in_their_stages_make_them_absent() -> None:
    found = stage_measurements([{"read": 1.0, "write": 1.0}, {"read": 1.0}])
    assert [each.metric.name for each in found] == ["read_time", "write_time"]
    assert {each.absent for each in found} == {"calls differ in their stages: read, write; read"}


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_a_reading_that_is_none_costs_its_own_stage_alone(wrong: float) -> None:
    read, write = stage_measurements([{"read": 1.0, "write": wrong}])
    assert read.values == (1.0,)
    assert write.absent is not None
    assert "'write_time' is " in write.absent


class TestAround:
    """Streams and awaited calls have the stages of the function that they wrap."""

    @staticmethod
    def _around(staged: object, kind: str) -> object:
        def wait(_: object) -> None: ...

        function: Any = staged
        return {
            "stream": Stream(function),
            "awaited": AwaitedFunction(function, wait),
            "awaited stream": Stream(AwaitedStream(function, wait)),
        }[kind]

    @pytest.mark.parametrize("kind", ["stream", "awaited", "awaited stream"])
    def test_they_are_those_of_the_function(self, kind: str) -> None:
        assert stages_of(self._around(FixedStages({"read": 0.5}), kind)) == {"read": 0.5}
        found = stages_of(self._around(FixedStages(NoStagesError("not yet", ("read",))), kind))
        assert isinstance(found, NoStagesError)
        assert (found.reason, found.names, found.__traceback__) == ("not yet", ("read",), None)

    @pytest.mark.parametrize("kind", ["stream", "awaited", "awaited stream"])
    def test_a_function_without_any_has_none(self, kind: str) -> None:
        assert stages_of(self._around(len, kind)) is None

    def test_they_are_measured(self, clock: Any) -> None:
        class Decoder:
            def __call__(self) -> Iterator[int]:
                clock.advance(0.5)
                yield 1
                clock.advance(0.25)

            def stages(self) -> Mapping[str, float]:
                return {"read": 0.5}

        _, found = measure_call(
            Stream(Decoder()),
            (),
            {},
            meters=[SteadyMeter(lambda: None)],
            plan=LoopPlan(rounds=3, warmup=1),
            clock=clock,
        )
        reported = {each.metric.name: each.values for each in found}
        assert reported["read_time"] == (0.5,) * 3
        assert reported["latency"] == pytest.approx((0.75,) * 3)
