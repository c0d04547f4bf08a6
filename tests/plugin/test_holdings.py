"""Memory that does not depend on the neighbours: the same figures in every selection and order."""

import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.model.change import Outcome

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure.measurement import measure_call  # noqa: E402
from pytest_pareto.measure.meters.memory import MemoryMeter  # noqa: E402

# What torch imports when it is used must outlive the sessions that run inside of this process:
# it cannot be imported twice.
measure_call(lambda: torch.ones(2) + 1, (), {}, meters=[MemoryMeter()])

MODELS = """
import os
import torch

KiB = 1024
PLANTED = os.environ.get("PLANTED", "")

def pad(where, size=48 * KiB):
    return torch.empty(size, dtype=torch.uint8) if PLANTED == where else None

class Model(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.first = torch.nn.Linear(width, width)
        self.last = torch.nn.Linear(width, width)
        self.caches = {}
        self.pad = pad("attribute")
        self.register_buffer("table", pad("buffer"))

    def cache(self, name, size):
        # Each way to call the model keeps a cache of its own, and only the first call makes it.
        if name not in self.caches:
            self.caches[name] = torch.zeros(size)
        return self.caches[name]

    def encode(self, x):
        temporary = pad("call")
        return self.last(torch.relu(self.first(x))) + self.cache("encode", 1000)[:1]

    forward = encode

    def decode(self, x):
        return self.last(x) + self.cache("decode", 3000)[:1]
"""

TESTS = """
import functools
import pytest
import torch
from models import Model, pad

LEAKED = []
LOADED = {}
GLOBAL = Model(56)
pytestmark = pytest.mark.pareto(rounds=1, warmup=1)

@pytest.fixture
def measure(pareto):
    return pareto.configure(metrics=["resident_memory", "host_peak_memory"]).measure

@functools.lru_cache
def load(width):
    return Model(width)

def load_by_hand(width):
    if width not in LOADED:
        LOADED[width] = Model(width)
    return LOADED[width]

@pytest.fixture(scope="module")
def model():
    beside = pad("generator")
    yield Model(64)

@pytest.fixture(scope="session")
def pair():
    return Model(40), pad("value")

@pytest.fixture(scope="session")
def registry():
    models = {}
    def get(width):
        if width not in models:
            models[width] = Model(width)
        return models[width]
    return get

@pytest.fixture(scope="session")
def shelf():
    return {}

@pytest.fixture
def inputs():
    held = pad("function")
    yield torch.ones(8, 64)

def test_encode(measure, model, inputs):
    beside = pad("local")
    measure(model.encode, inputs)

def test_decode(measure, model, inputs):
    measure(model.decode, inputs)

def test_by_lambda(measure, model):
    x = torch.ones(8, 64)
    measure(lambda: model.decode(model.encode(x)))

class TestPair:
    def test_pair(self, measure, pair):
        self.held = pad("self")
        model, _ = pair
        measure(model, torch.ones(8, 40))

@pytest.mark.parametrize("width", [24, 32, 48])
def test_registry(measure, registry, width):
    measure(registry(width), torch.ones(4, width))

@pytest.mark.parametrize("width", [24, 32])
def test_shelf(measure, shelf, width):
    model = shelf.setdefault(width, Model(width))
    measure(model, torch.ones(4, width))

@pytest.mark.parametrize("width", [24, 72])
def test_lru(measure, width):
    measure(lambda: load(width)(torch.ones(4, width)))

@pytest.mark.parametrize("width", [24, 80])
def test_beside_a_reference(measure, width):
    x = torch.ones(4, width)
    reference = load_by_hand(80)
    expected = load_by_hand(width)(x)
    assert torch.equal(measure(load_by_hand(width), x), expected)

def test_global(measure):
    measure(lambda: GLOBAL(torch.ones(4, 56)))

def test_neighbour(measure):
    LEAKED.append(torch.zeros(99_999))
    garbage = [torch.zeros(55_555)]
    garbage.append(garbage)
    measure(lambda: torch.zeros(777).relu())
"""

CONFTEST = """
import os
import random

def pytest_collection_modifyitems(items):
    order = os.environ.get("ORDER")
    if order == "reversed":
        items.reverse()
    elif order:
        random.Random(order).shuffle(items)
"""

Figures = Mapping[str, Mapping[str, float | None]]


def write(path: Path) -> None:
    (path / "conftest.py").write_text(CONFTEST)
    (path / "models.py").write_text(MODELS)
    (path / "test_memory.py").write_text(TESTS)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, record: Callable[[Path], Path]) -> Path:
    """The baseline of the project, recorded once in a fresh process."""
    path = tmp_path_factory.mktemp("memory")
    write(path)
    (path / "pytest.ini").write_text("[pytest]\npythonpath = .\npareto_runs = 1\n")
    return record(path)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, recorded: Path) -> None:
    monkeypatch.syspath_prepend(pytester.path)
    write(pytester.path)
    shutil.copytree(recorded, pytester.path / "pareto_baselines")


def figures(session: "Session") -> Figures:
    """Return the bytes of each metric that was measured, by case."""
    assert session.judgement is not None, session.text
    return {
        case.case_id.partition("::")[2]: {
            metric.metric.name: metric.candidate
            for metric in case.comparison.metrics
            if metric.outcome is not Outcome.ABSENT
        }
        for case in session.cases
    }


@pytest.fixture
def everything(project: None, recorded: Path) -> Figures:
    """The figures of the baseline, which is of a session of all tests."""
    found: dict[str, dict[str, float | None]] = {}
    for file in recorded.rglob("test_memory.json"):
        for case_id, case in json.loads(file.read_text())["cases"].items():
            for name, history in case["metrics"].items():
                (runs,) = [session["runs"] for session in history["sessions"]]
                found.setdefault(case_id, {})[name] = runs[0]
    return found


def linear(width: int, rows: int) -> int:
    """Return the bytes of a `Model` of two linear layers and of its input."""
    return 4 * (2 * (width * width + width) + rows * width)


class TestFigures:
    def test_they_are_of_the_case_alone(self, everything: Figures) -> None:
        resident = {name: values["resident_memory"] for name, values in everything.items()}
        encode, decode = 4000, 12000
        assert resident == {
            "test_encode": linear(64, 8) + encode,
            "test_decode": linear(64, 8) + decode,
            "test_by_lambda": linear(64, 8) + encode + decode,
            "TestPair::test_pair": linear(40, 8) + encode,
            **{f"test_registry[{w}]": linear(w, 4) + encode for w in (24, 32, 48)},
            **{f"test_shelf[{w}]": linear(w, 4) + encode for w in (24, 32)},
            # The input is made in the call.
            **{f"test_lru[{w}]": linear(w, 0) + encode for w in (24, 72)},
            "test_beside_a_reference[24]": linear(24, 8) + encode + linear(80, 0),
            "test_beside_a_reference[80]": linear(80, 8) + encode,
            "test_global": linear(56, 0) + encode,
            # What it leaks is global, and what it throws away is a local variable.
            "test_neighbour": 4 * 55_555,
        }
        peak = {name: values["host_peak_memory"] for name, values in everything.items()}
        # A result that autograd keeps, that of the last layer, and their sum.
        assert peak["test_encode"] == 3 * 4 * 8 * 64
        assert peak["test_neighbour"] == 2 * 4 * 777

    @pytest.mark.parametrize("order", ["reversed", "1", "2"])
    def test_order_does_not_change_them(
        self,
        everything: Figures,
        run: "Run",
        monkeypatch: pytest.MonkeyPatch,
        order: str,
    ) -> None:
        monkeypatch.setenv("ORDER", order)
        session = run("--pareto")
        assert figures(session) == everything
        assert session.exit_code == 0

    def test_selections_do_not_change_them(
        self, pytester: pytest.Pytester, everything: Figures, run: "Run"
    ) -> None:
        names = sorted(everything)
        draw = random.Random(0)
        some = [f"test_memory.py::{name}" for name in draw.sample(names, 4)]
        selections: Sequence[Sequence[str]] = [
            ("-k", "decode or 24"),
            ("-k", "registry"),
            ("--deselect", "test_memory.py::test_encode"),
            some,
            *((f"test_memory.py::{name}",) for name in draw.sample(names, 4)),
        ]
        seen: set[str] = set()
        for selection in selections:
            found = figures(run("--pareto", *selection))
            assert found
            assert found == {name: everything[name] for name in found}, selection
            seen |= found.keys()
        assert len(seen) > 10

    def test_what_failed_last_has_them_alone(
        self, everything: Figures, run: "Run", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PLANTED", "self")
        assert run("--pareto", "-p", "cacheprovider").exit_code == 1
        monkeypatch.delenv("PLANTED")
        session = run("--pareto", "--lf")
        assert figures(session) == {"TestPair::test_pair": everything["TestPair::test_pair"]}
        assert session.exit_code == 0


MODEL_TESTS = ("test_encode", "test_decode", "test_by_lambda")


@pytest.mark.parametrize(
    ("place", "metric", "cases"),
    [
        ("attribute", "resident_memory", MODEL_TESTS),
        ("buffer", "resident_memory", MODEL_TESTS),
        ("generator", "resident_memory", MODEL_TESTS),
        ("value", "resident_memory", ("TestPair::test_pair",)),
        ("function", "resident_memory", ("test_encode", "test_decode")),
        ("local", "resident_memory", ("test_encode",)),
        ("self", "resident_memory", ("TestPair::test_pair",)),
        ("call", "host_peak_memory", ("test_encode", "test_by_lambda")),
    ],
)
def test_planted_memory_is_worse_by_its_bytes(
    everything: Figures,
    run: "Run",
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    metric: str,
    cases: Sequence[str],
) -> None:
    monkeypatch.setenv("PLANTED", place)
    session = run("--pareto", *(f"test_memory.py::{case}" for case in cases))
    assert session.exit_code == 1
    found = figures(session)
    for case in cases:
        (change,) = [
            each
            for each in session.case(f"test_memory.py::{case}").comparison.metrics
            if each.metric.name == metric
        ]
        assert change.outcome is Outcome.WORSE
        more = (found[case][metric] or 0) - (everything[case][metric] or 0)
        assert more == 48 * 1024 if metric == "resident_memory" else more > 40 * 1024


ASYNC = """
import asyncio
import pytest
import torch
from models import Model, pad

async def call(model, x):
    return model(x)

@pytest.mark.pareto(rounds=1, warmup=1)
def test_awaited(pareto):
    async def run():
        beside = torch.empty(1000)
        ready = pareto.configure(metrics=["resident_memory"])
        await ready.ameasure(call, Model(64), torch.ones(8, 64))
    asyncio.run(run())
"""


def test_an_awaited_call_has_the_variables_of_its_test(
    pytester: pytest.Pytester, project: None, run: "Run"
) -> None:
    pytester.makepyfile(test_async=ASYNC)
    found = figures(run("--pareto", "test_async.py"))
    assert found == {"test_awaited": {"resident_memory": linear(64, 8) + 4 * 1000 + 4000}}


def test_the_variables_of_a_test_are_not_held_beyond_it(
    pytester: pytest.Pytester, project: None, run: "Run"
) -> None:
    pytester.makepyfile(
        test_it="""
        import gc, weakref
        import torch

        def test_it(pareto):
            class Big:
                pass
            big = Big()
            gone = weakref.ref(big)
            pareto.configure(metrics=["resident_memory"]).measure(torch.zeros, 5)
            del big
            assert gone() is None
        """
    )
    assert run("--pareto", "test_it.py").exit_code == 0


def test_a_broken_fixture_is_shown_without_our_hook(
    pytester: pytest.Pytester, project: None, run: "Run"
) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture(scope="module")
        def broken():
            raise RuntimeError("no model here")

        def test_it(pareto, broken):
            pareto.measure(len, [])
        """
    )
    session = run("--pareto", "test_it.py")
    assert "no model here" in session.text
    assert "pytest_fixture_setup" not in session.text
