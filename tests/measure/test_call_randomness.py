import random
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.call import preserve_random_state
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.testing import ScriptedClock

Draw = Callable[[], float]


def _seeders_and_draws(library: str) -> tuple[Callable[[int], object], Draw]:
    if library == "python":
        return random.seed, random.random
    if library == "numpy":
        numpy = pytest.importorskip("numpy")
        return numpy.random.seed, numpy.random.random
    torch = pytest.importorskip("torch")
    return torch.manual_seed, lambda: float(torch.rand(()))


@pytest.fixture(params=["python", "numpy", "torch"])
def generator(request: pytest.FixtureRequest) -> tuple[Callable[[int], object], Draw]:
    return _seeders_and_draws(request.param)


def _after_measuring(
    generator: tuple[Callable[[int], object], Draw], rounds: int
) -> tuple[float, float]:
    """Return what the measured function drew, and what is drawn next."""
    from itertools import count

    from pytest_pareto.measure.meters.latency import SteadyMeter

    seed, draw = generator
    seed(0)
    result, _ = measure_call(
        draw,
        (),
        {},
        meters=[SteadyMeter(lambda: None)],
        plan=LoopPlan(rounds=rounds, warmup=2),
        clock=ScriptedClock(count()),
    )
    return result, draw()


@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_the_number_of_rounds_does_not_show(
    generator: tuple[Callable[[int], object], Draw], rounds: int
) -> None:
    seed, draw = generator
    seed(0)
    once = (draw(), draw())
    assert _after_measuring(generator, rounds) == once


def test_without_keeping_the_state_it_would(
    generator: tuple[Callable[[int], object], Draw], monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import nullcontext

    from pytest_pareto.measure import measurement

    monkeypatch.setattr(measurement, "preserve_random_state", nullcontext)
    seed, draw = generator
    seed(0)
    once = (draw(), draw())
    assert _after_measuring(generator, 1) != once
    assert _after_measuring(generator, 1) != _after_measuring(generator, 2)


def test_an_exception_restores_as_well() -> None:
    random.seed(0)
    expected = random.random()
    random.seed(0)

    def fail() -> None:
        with preserve_random_state():
            random.random()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert random.random() == expected


def test_accelerators_in_use_are_kept(fake_torch: Any) -> None:
    mps = {"state": "mps state"}
    fake_torch.backends.mps = SimpleNamespace(is_available=lambda: True)
    fake_torch.mps = SimpleNamespace(
        get_rng_state=lambda: mps["state"], set_rng_state=lambda new: mps.update(state=new)
    )
    with preserve_random_state():
        fake_torch.set_rng_state("drawn from")
        fake_torch.cuda.random_states[1] = "drawn from"
        mps["state"] = "drawn from"
    assert fake_torch.get_rng_state() == "cpu state"
    assert fake_torch.cuda.random_states == ["state 0", "state 1", "state 2"]
    assert mps["state"] == "mps state"


def test_cuda_that_was_not_started_stays_so(fake_torch: Any) -> None:
    fake_torch.cuda.initialized = False
    fake_torch.cuda.random_states[1] = "set by nobody"
    with preserve_random_state():
        fake_torch.cuda.random_states[1] = "seeded meanwhile"
    assert fake_torch.cuda.random_states[1] == "seeded meanwhile"


@pytest.mark.usefixtures("without_torch")
def test_libraries_that_are_not_imported_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy.random", raising=False)
    random.seed(0)
    state = random.getstate()
    with preserve_random_state():
        random.random()
    assert random.getstate() == state
