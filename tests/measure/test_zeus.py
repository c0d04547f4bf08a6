"""The zeus meter on a scripted zeus of the same interface, and on the real one if installed."""

import inspect
import logging
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.device import AcceleratorDevice, CpuDevice, CudaDevice, Device
from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.errors import ParetoError, pip_install
from pytest_pareto.model.metric import ENERGY
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing import check_meter
from pytest_pareto.zeus import CPU_ENERGY, ZeusEnergyMeter

if TYPE_CHECKING:
    from tests.measure.conftest import ManualClock

CALL_S = 0.25


@dataclass
class FakeMachine:
    """A machine as zeus sees it: watts by index, and what it cannot read."""

    clock: "ManualClock"
    gpus: dict[int, float] = field(default_factory=dict)
    cpus: dict[int, float] = field(default_factory=dict)
    apple: dict[str, float | None] | None = None
    no_gpus: Exception | None = None
    no_cpus: Exception | None = None
    polled: bool = False
    journal: list[str] = field(default_factory=list)

    def get_gpus(self) -> None:
        if self.no_gpus is not None:
            raise self.no_gpus

    def get_cpus(self) -> None:
        if self.no_cpus is not None:
            raise self.no_cpus


class Monitor:
    """The part of zeus 0.16's `ZeusMonitor` that the meter uses."""

    def __init__(self, machine: FakeMachine, gpus: list[int], cpus: list[int] | None) -> None:
        sys.stdout.write("zeus starts")
        sys.stderr.write("zeus starts")
        logging.getLogger("zeus.device").warning("zeus starts")
        warnings.warn("zeus starts", stacklevel=1)
        self._world = machine
        self.gpu_indices = gpus
        self.cpu_indices = list(machine.cpus) if cpus is None else cpus
        self.cpus = SimpleNamespace(get_total_energy_consumption=self._read_cpu)
        self.soc_is_present = machine.apple is not None
        self.power_monitor = SimpleNamespace(stop=self._stop) if machine.polled else None
        self._began_ns: int | None = None
        machine.journal.append(f"open {gpus} {self.cpu_indices}")

    def _read_cpu(self, index: int) -> None:
        self._world.journal.append(f"read cpu {index}")

    def _stop(self) -> None:
        self._world.journal.append("stop polling")

    def begin_window(self, key: str, sync_execution: bool, restart: bool) -> None:
        assert (sync_execution, restart) == (False, True)
        self._began_ns = self._world.clock()
        self._world.journal.append(f"begin {key}")

    def end_window(self, key: str, sync_execution: bool) -> SimpleNamespace:
        assert not sync_execution
        warnings.warn(
            "The energy consumption of one or more GPUs was measured as zero", stacklevel=1
        )
        assert self._began_ns is not None
        seconds = (self._world.clock() - self._began_ns) / 1e9
        apple = self._world.apple
        return SimpleNamespace(
            gpu_energy={index: self._world.gpus[index] * seconds for index in self.gpu_indices},
            cpu_energy={i: self._world.cpus[i] * seconds for i in self.cpu_indices} or None,
            soc_energy=apple
            and SimpleNamespace(
                **{k: None if w is None else round(w * seconds * 1e3) for k, w in apple.items()}
            ),
        )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, clock: "ManualClock") -> FakeMachine:
    """A machine on which zeus is installed."""
    machine = FakeMachine(clock)
    zeus, device, monitor = (ModuleType(n) for n in ("zeus", "zeus.device", "zeus.monitor"))
    zeus.__spec__ = ModuleSpec("zeus", None)
    vars(zeus).update(device=device, monitor=monitor)
    vars(device).update(get_gpus=machine.get_gpus, get_cpus=machine.get_cpus)
    vars(monitor).update(
        ZeusMonitor=lambda gpu_indices, cpu_indices: Monitor(machine, gpu_indices, cpu_indices)
    )
    for module in (zeus, device, monitor):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return machine


class SynchronizingCuda:
    """A `torch.cuda` that can only be synchronised."""

    def synchronize(self, index: int) -> None:
        pass


def gpus(*indexes: int) -> Device:
    return CudaDevice(SynchronizingCuda(), indexes)


def measured(
    machine: FakeMachine,
    device: Device,
    *,
    meter: ZeusEnergyMeter | None = None,
    function: Callable[[], object] | None = None,
    skip: frozenset[str] = frozenset(),
) -> Mapping[str, Measurement]:
    """Return a meter's measurements of calls that take a quarter of a second each."""
    work = function or (lambda: machine.clock.advance(CALL_S))
    plan = LoopPlan(rounds=1, warmup=0)
    calls = Calls(work, lambda: ((), {}), clock=machine.clock, plan=plan)
    calls.device = device
    found = meter_pass(meter or ZeusEnergyMeter(), calls, skip)
    return {each.metric.name: each for each in found}


pytestmark = pytest.mark.usefixtures("without_torch")


class TestEnergy:
    def test_it_is_joules_per_call_of_a_window_of_five_seconds(self, machine: FakeMachine) -> None:
        machine.gpus, machine.cpus = {0: 300.0}, {0: 80.0}
        found = measured(machine, gpus(0))
        assert found["energy"].values == pytest.approx((300.0 * CALL_S,))
        assert found["energy"].notes == ("20 calls in 5.0 s at 300 W, by zeus",)
        assert found["cpu_energy"].values == pytest.approx((80.0 * CALL_S,))

    def test_it_is_of_all_the_gpus_used_and_of_no_other(self, machine: FakeMachine) -> None:
        machine.gpus = {0: 300.0, 1: 50.0, 3: 200.0}
        found = measured(machine, gpus(0, 3))
        assert found["energy"].values == pytest.approx((500.0 * CALL_S,))
        assert machine.journal[0] == "open [0, 3] []"

    def test_it_is_of_all_processor_packages(self, machine: FakeMachine) -> None:
        machine.cpus = {0: 80.0, 1: 40.0}
        found = measured(machine, CpuDevice())
        assert found["cpu_energy"].values == pytest.approx((120.0 * CALL_S,))
        assert found["energy"].absent == "no GPU was used, and this is no Apple silicon"

    def test_apples_parts_are_each_counted_once(self, machine: FakeMachine) -> None:
        machine.apple = {
            "cpu_total_mj": 8.0, "efficiency_cluster_mj": 2.0, "performance_cluster_mj": 6.0,
            "gpu_mj": 20.0, "gpu_sram_mj": 1.0, "ane_mj": 0.0, "dram_mj": 3.0,
        }  # fmt: skip
        found = measured(machine, AcceleratorDevice(SimpleNamespace(synchronize=lambda: None)))
        assert found["energy"].values == pytest.approx((24.0 * CALL_S,), rel=1e-3)
        assert found["cpu_energy"].values == pytest.approx((8.0 * CALL_S,), rel=1e-3)

    def test_missing_values_of_an_apple_chip_are_left_out(self, machine: FakeMachine) -> None:
        machine.apple = {"cpu_total_mj": None, "gpu_mj": 20.0, "dram_mj": None}
        found = measured(machine, CpuDevice())
        assert found["energy"].values == pytest.approx((20.0 * CALL_S,), rel=1e-3)
        assert found["cpu_energy"].absent == "zeus read nothing in 5.0 s of calls"

    def test_what_is_not_wanted_is_not_opened(self, machine: FakeMachine) -> None:
        machine.gpus, machine.cpus = {0: 300.0}, {0: 80.0}
        assert measured(machine, gpus(0), skip=frozenset({"cpu_energy"})).keys() == {"energy"}
        only = measured(machine, gpus(0), meter=ZeusEnergyMeter(gpus=False))
        assert only.keys() == {"cpu_energy"}
        assert [each for each in machine.journal if "open" in each] == [
            "open [0] []",
            "open [] [0]",
        ]

    def test_the_helper_of_the_processor_is_up_before_the_first_window(
        self, machine: FakeMachine
    ) -> None:
        machine.cpus = {0: 80.0}
        meter = ZeusEnergyMeter()
        began_ns = machine.clock()
        measured(machine, CpuDevice(), meter=meter)
        assert machine.journal == ["open [] [0]", "read cpu 0", "begin pytest-pareto"]
        assert machine.clock() - began_ns == 7e9
        measured(machine, CpuDevice(), meter=meter)
        assert machine.clock() - began_ns == 12e9

    def test_the_meter_conforms(self, machine: FakeMachine) -> None:
        machine.apple = {"cpu_total_mj": 8.0, "gpu_mj": 20.0}

        def work(units: int) -> Callable[[], None]:
            return lambda: machine.clock.advance(units * CALL_S)

        def clock() -> int:
            machine.clock.advance(0.01)  # so that five seconds of doing nothing pass
            return machine.clock()

        found = check_meter(ZeusEnergyMeter(), work=work, clock=clock, passes=1)
        assert found.readings["energy"] == pytest.approx(20.0 * CALL_S, rel=0.2)


class TestAbsence:
    def test_without_zeus(self, monkeypatch: pytest.MonkeyPatch, machine: FakeMachine) -> None:
        monkeypatch.setattr("pytest_pareto.zeus.find_spec", lambda name: None)
        found = measured(machine, gpus(0))
        assert {each.absent for each in found.values()} == {
            "zeus is not installed; " + pip_install("zeus")
        }
        assert machine.journal == []

    def test_without_permission_to_read_the_processor(self, machine: FakeMachine) -> None:
        machine.no_cpus = PermissionError("Can't read file; RAPL requires root privileges")
        machine.gpus = {0: 300.0}
        found = measured(machine, gpus(0))
        assert found["cpu_energy"].absent == (
            "zeus cannot read the processor: PermissionError: Can't read file; RAPL requires "
            "root privileges"
        )
        assert found["energy"].values

    def test_without_a_driver_for_the_gpu(self, machine: FakeMachine) -> None:
        machine.no_gpus = OSError("NVML and AMDSMI unavailable")
        found = measured(machine, gpus(0))
        assert found["energy"].absent == (
            "zeus cannot read the GPU: OSError: NVML and AMDSMI unavailable"
        )
        assert found["cpu_energy"].absent == "zeus found no processor with an energy counter"
        assert machine.clock() == 0  # no call was made in vain

    @pytest.mark.parametrize(("second", "read"), [(0.0, "1500 J, 0 J"), (-2.0, "1500 J, -10 J")])
    def test_a_stalled_counter_is_unknown_and_not_zero(
        self, machine: FakeMachine, second: float, read: str
    ) -> None:
        machine.gpus = {0: 300.0, 1: second}
        found = measured(machine, gpus(0, 1))
        assert found["energy"].absent == f"zeus read {read} in 5.0 s of calls"

    def test_a_meter_of_nothing_is_refused(self) -> None:
        with pytest.raises(ParetoError, match="without gpus and without cpus"):
            ZeusEnergyMeter(gpus=False, cpus=False)


class TestSideEffects:
    def test_output_of_zeus_is_suppressed_and_the_users_is_not(
        self,
        machine: FakeMachine,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        machine.gpus = {0: 300.0}

        def function() -> None:
            machine.clock.advance(5.0)
            sys.stdout.write("mine")
            logging.getLogger("zeus").warning("mine")

        assert measured(machine, gpus(0), function=function)["energy"].values
        assert capsys.readouterr() == ("mine", "")
        assert [record.message for record in caplog.records] == ["mine"]

    def test_polling_ends_with_the_pass_also_where_the_call_raises(
        self, machine: FakeMachine
    ) -> None:
        machine.gpus, machine.polled = {0: 300.0}, True
        measured(machine, gpus(0))
        assert machine.journal[-1] == "stop polling"

        def function() -> None:
            raise KeyError("weights")

        with pytest.raises(KeyError, match="weights"):
            measured(machine, gpus(0), function=function)
        assert machine.journal[-2:] == ["begin pytest-pareto", "stop polling"]


@pytest.mark.skipif(find_spec("zeus") is None, reason="zeus is not installed")
class TestTheRealZeus:
    def test_it_has_the_interface_of_the_scripted_one(self) -> None:
        from zeus.monitor import ZeusMonitor

        for real, ours in (
            (ZeusMonitor.begin_window, {"key", "sync_execution", "restart"}),
            (ZeusMonitor.end_window, {"key", "sync_execution"}),
            (ZeusMonitor.__init__, {"gpu_indices", "cpu_indices"}),
        ):
            assert ours <= inspect.signature(real).parameters.keys()
        monitor: Any = ZeusMonitor(gpu_indices=[], cpu_indices=[])
        assert {"soc_is_present", "power_monitor", "cpus"} <= vars(monitor).keys()

    def test_it_measures_or_has_a_reason(self, capsys: pytest.CaptureFixture[str]) -> None:
        calls = Calls(lambda: sum(range(10_000)), lambda: ((), {}), clock=time.perf_counter_ns)
        found = meter_pass(ZeusEnergyMeter(), calls, frozenset())
        assert [each.metric for each in found] == [ENERGY, CPU_ENERGY]
        assert all(each.absent or min(each.values) > 0 for each in found)
        assert capsys.readouterr() == ("", "")
