"""Streams and awaited calls, from the fixture to the verdict."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

TOKENS = """
import json, pathlib
import pytest

WORLD = json.loads(pathlib.Path(__file__).with_name("world.json").read_text())

@pytest.mark.pareto(rounds=3, warmup=1, tolerance={"items_per_second": 0.05})
def test_decode(pareto, sleep):
    calls = []
    def tokens(prompt):
        sleep(WORLD["prefill_s"])
        calls.append(prompt)
        more = len(calls) % WORLD["vary"]
        for number in range(WORLD["tokens"] + more):
            if number:
                sleep(WORLD["step_s"])
            yield number
    got = pareto.stream(tokens, "Hello")
    assert got == list(range(WORLD["tokens"] + 1 % WORLD["vary"]))
"""
CASE = "test_it.py::test_decode"
WORLD = {"prefill_s": 0.2, "step_s": 0.01, "tokens": 33, "vary": 1}


def write(path: Path, clock: str, **planted: float) -> None:
    (path / "test_it.py").write_text(TOKENS)
    (path / "conftest.py").write_text(clock)
    (path / "world.json").write_text(json.dumps(WORLD | planted))


@pytest.fixture(scope="module")
def baseline(
    tmp_path_factory: pytest.TempPathFactory,
    simulated_clock: str,
    record: Callable[[Path], Path],
) -> Path:
    path = tmp_path_factory.mktemp("stream")
    write(path, simulated_clock)
    return record(path)


@pytest.fixture
def planted(
    pytester: pytest.Pytester, run: "Run", simulated_clock: str, baseline: Path
) -> Callable[..., "Session"]:
    """Judge the stream with other facts of the world than the baseline's."""
    shutil.copytree(baseline, pytester.path / "pareto_baselines")

    def session(**facts: float) -> "Session":
        write(pytester.path, simulated_clock, **facts)
        return run("--pareto")

    return session


def outcomes(session: "Session") -> dict[str, Outcome]:
    metrics = session.case(CASE).comparison.metrics
    return {m.metric.name: m.outcome for m in metrics if m.outcome is not Outcome.ABSENT}


class TestPlanted:
    def test_an_unchanged_stream_passes(self, planted: Callable[..., "Session"]) -> None:
        session = planted()
        assert session.exit_code == 0
        found = outcomes(session)
        assert set(found) == {
            "latency", "time_to_first_item", "time_per_item", "items_per_second", "items",
            "python_calls",
        }  # fmt: skip
        assert Outcome.WORSE not in found.values()

    def test_slower_tokens_are_told_from_a_slower_prefill(
        self, planted: Callable[..., "Session"]
    ) -> None:
        session = planted(step_s=0.016)
        assert session.exit_code == 1
        found = outcomes(session)
        assert found["time_per_item"] is Outcome.WORSE
        assert found["items_per_second"] is Outcome.WORSE
        assert found["time_to_first_item"] is not Outcome.WORSE

    def test_a_slower_prefill_is_told_from_slower_tokens(
        self, planted: Callable[..., "Session"]
    ) -> None:
        session = planted(prefill_s=0.4)
        assert session.exit_code == 1
        found = outcomes(session)
        assert found["time_to_first_item"] is Outcome.WORSE
        assert found["time_per_item"] is not Outcome.WORSE

    def test_one_may_be_traded_for_the_other(self, planted: Callable[..., "Session"]) -> None:
        session = planted(prefill_s=0.06, step_s=0.016)
        assert session.case(CASE).verdict is Verdict.TRADE_OFF
        assert session.exit_code == 1  # far more than the three tolerances that may be given up

    def test_a_stream_cut_short_is_told(self, planted: Callable[..., "Session"]) -> None:
        session = planted(tokens=17)
        found = outcomes(session)
        assert found["items"] is Outcome.WORSE
        assert found["time_per_item"] is not Outcome.BETTER
        text = " ".join(session.text.split())
        assert "items 33 → 17" in text
        assert "note: the stream has 17 items, and before it had 33: what is measured" in text

    def test_a_longer_stream_is_told(self, planted: Callable[..., "Session"]) -> None:
        text = " ".join(planted(tokens=40).text.split())
        assert "note: the stream has 40 items, and before it had 33: what is measured" in text

    def test_a_number_that_varies_is_told(self, planted: Callable[..., "Session"]) -> None:
        text = " ".join(planted(vary=2).text.split())
        words = "it differs from call to call (33 to 34 items a call)"
        assert f"note: the stream has no one number of items: {words}" in text

    def test_a_stream_that_became_empty_fails(self, planted: Callable[..., "Session"]) -> None:
        session = planted(tokens=0)
        assert session.exit_code == 1
        assert outcomes(session)["time_to_first_item"] is Outcome.MISSING
        assert "the stream had no item in 3 of 3 calls" in " ".join(session.text.split())


def passes(pytester: pytest.Pytester, run: "Run", source: str, *args: str) -> "Session":
    pytester.makepyfile(test_it=source)
    session = run(*args)
    assert session.exit_code == 0, session.text
    return session


@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_the_first_calls_items_come_back(
    pytester: pytest.Pytester, run: "Run", args: tuple[str, ...]
) -> None:
    passes(
        pytester,
        run,
        """
import itertools, random
calls = []
def items(n, *, start):
    calls.append(n)
    yield from (start + i for i in range(n))
def test_it(pareto):
    assert pareto.stream(items, 2, start=3) == [3, 4]
def test_setup(pareto):
    made = pareto.configure(setup=lambda: ((3,), {"start": 0}), rounds=2, warmup=1)
    calls.clear()
    assert made.configure(metrics=["time_per_item"]).stream(items) == [0, 1, 2]
    assert len(calls) == {calls}
def test_endless(pareto):
    assert pareto.configure(max_items=3, rounds=1).stream(itertools.count) == [0, 1, 2]
def test_random(pareto):
    random.seed(0)
    expected = [random.random(), random.random(), random.random()]
    random.seed(0)
    drawn = pareto.stream(lambda: (random.random() for _ in range(2)))
    assert [*drawn, random.random()] == expected
""".replace("{calls}", "4" if args else "1"),
        *args,
    )


def test_metrics_can_be_chosen_and_skipped(pytester: pytest.Pytester, run: "Run") -> None:
    session = passes(
        pytester,
        run,
        """
import pytest
def items():
    yield from range(3)
def test_chosen(pareto):
    pareto.configure(metrics=["time_to_first_item"]).stream(items)
@pytest.mark.pareto(skip_metrics=["time_to_first_item", "items"], rounds=2)
def test_skipped(pareto):
    pareto.stream(items)
""",
        "--pareto",
    )

    def measured(name: str) -> set[str]:
        metrics = session.case(f"test_it.py::{name}").comparison.metrics
        return {m.metric.name for m in metrics if m.outcome is Outcome.NEW}

    assert measured("test_chosen") == {"time_to_first_item"}
    assert measured("test_skipped") == {
        "latency", "time_per_item", "items_per_second", "python_calls", "c_calls",
    }  # fmt: skip


BAD = {
    "a generator in place of its function": (
        "def test_it(pareto): pareto.stream(x for x in 'ab')",
        ["pareto.stream takes a function to call, which makes a new stream for each call"],
    ),
    "a list": (
        "def test_it(pareto): pareto.stream(sorted, 'ab')",
        ["sorted returned a list, which is no iterator", "pareto.measure(fn, ...)"],
    ),
    "a metric of streams for a whole call": (
        "def test_it(pareto): pareto.configure(metrics=['time_per_item']).measure(len, '')",
        ["metrics names time_per_item, which only streams have", "pareto.measure"],
    ),
    "an end for a whole call": (
        "def test_it(pareto): pareto.configure(max_items=3).measure(len, '')",
        ["max_items ends a stream"],
    ),
    "an end that is no count": (
        "def test_it(pareto): pareto.configure(max_items=0)",
        ["max_items takes a whole number from 1 on, not 0"],
    ),
    "a tolerance of streams where nothing streams": (
        "import pytest\n"
        "@pytest.mark.pareto(tolerance={'time_to_first_item': 0.1})\n"
        "def test_it(pareto): pareto.measure(len, '')",
        ["names 'time_to_first_item', which this test neither measures nor records"],
    ),
    "a cache that leaves later streams shorter": (
        "cache = []\n"
        "def tokens():\n"
        "    made = 2 if len(cache) > 2 else 22\n"  # the warm-up's second call is whole yet
        "    cache.append(made)\n"
        "    yield from range(made)\n"
        "def test_it(pareto):\n"
        "    made = pareto.configure(rounds=3, warmup=2)\n"
        "    assert len(made.stream(tokens)) == 22",
        ["tokens: the first call gave 22 items and later ones 2:", "new stream in each call"],
    ),
    "an iterator that all calls share": (
        "it = iter(range(10**9))\n"
        "def test_it(pareto): pareto.configure(max_items=5).stream(lambda: it)",
        ["returned the same range_iterator when it was called again"],
    ),
    "items of what counts its own": (
        "def test_it(pareto): pareto.configure(items=3).stream(iter, 'abc')",
        ["items says how many one call works through, and pareto.stream counts a stream's own"],
    ),
    "items of an awaited stream": (
        "import asyncio\n"
        "async def items():\n    yield 1\n"
        "async def main(pareto): await pareto.configure(items=3).astream(items)\n"
        "def test_it(pareto): asyncio.run(main(pareto))",
        ["and pareto.astream counts a stream's own"],
    ),
    "a tolerance of what only work is counted of": (
        "import pytest\n"
        "torch = pytest.importorskip('torch')\n"
        "def tokens():\n    yield torch.ones(2, 2) @ torch.ones(2, 2)\n"
        "@pytest.mark.pareto(work_only=True, tolerance={'time_per_item': 0.1})\n"
        "def test_it(pareto): pareto.stream(tokens)",
        ["names 'time_per_item', which a test with work_only=True does not measure"],
    ),
    "two streams of one name": (
        "def test_it(pareto):\n    pareto.stream(iter, 'ab')\n    pareto.stream(iter, 'ab')",
        ["was measured already", "pareto.configure(name='decode').stream(...)"],
    ),
    "an awaited stream": (
        "async def items():\n    yield 1\ndef test_it(pareto): pareto.stream(items)",
        ["items returned an async iterator", "await pareto.astream(fn, ...)"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_has_one_clear_message(pytester: pytest.Pytester, run: "Run", name: str) -> None:
    source, words = BAD[name]
    pytester.makepyfile(test_it=source)
    session = run("--pareto")
    assert session.exit_code == 1
    text = " ".join(session.text.split())
    for word in words:
        assert word in text, session.text
    assert "INTERNALERROR" not in text


def test_a_tolerance_of_streams_is_known_where_one_streams(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    session = passes(
        pytester,
        run,
        """
import pytest
@pytest.mark.pareto(tolerance={"time_to_first_item": 0.1}, budget={"items_per_second": ">= 1"})
def test_it(pareto):
    pareto.stream(iter, "abc")
""",
        "--pareto",
    )
    found = session.case("test_it.py::test_it").comparison.metric("time_to_first_item")
    assert found is not None
    assert found.metric.tolerance == 0.1


AWAITED = """
import asyncio
async def reply(text):
    await asyncio.sleep(0)
    return text.upper()
async def tokens(text):
    for token in text:
        await asyncio.sleep(0)
        yield token
def test_it(pareto):
    async def main():
        assert await pareto.ameasure(reply, "a") == "A"
        assert await pareto.configure(name="tokens").astream(tokens, "abc") == ["a", "b", "c"]
    asyncio.run(main())
"""


@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_awaited_calls_and_streams(
    pytester: pytest.Pytester, run: "Run", args: tuple[str, ...]
) -> None:
    session = passes(pytester, run, AWAITED, *args)
    if args:
        cases = {c.case_id: c.comparison for c in session.cases}
        assert set(cases) == {"test_it.py::test_it", "test_it.py::test_it#tokens"}
        assert cases["test_it.py::test_it"].metric("time_to_first_item") is None
        found = cases["test_it.py::test_it#tokens"].metric("items")
        assert found is not None
        assert found.candidate == 3


def test_under_a_plugin_of_event_loops(pytester: pytest.Pytester, run: "Run") -> None:
    pytest.importorskip("anyio")
    passes(
        pytester,
        run,
        """
import anyio, pytest
@pytest.fixture
def anyio_backend():
    return "asyncio"
async def call():
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
    return 3
@pytest.mark.anyio
async def test_it(pareto):
    assert await pareto.ameasure(call) == 3
""",
        *("-p", "anyio"),
        "--pareto",
    )


GATHERED = """
import asyncio
async def reply():
    await asyncio.sleep(0.001)
    return 1
def test_it(pareto):
    async def main():
        return await asyncio.gather(
            *(pareto.configure(name=name, rounds=3).ameasure(reply) for name in "ab"), {how}
        )
    asyncio.run(main())
def test_next(pareto):
    assert asyncio.run(pareto.configure(rounds=3).ameasure(reply)) == 1
"""


@pytest.mark.parametrize("how", ["", "return_exceptions=True"])
def test_two_measurements_at_once_are_refused(
    pytester: pytest.Pytester, run: "Run", how: str
) -> None:
    pytester.makepyfile(test_it=GATHERED.replace("{how}", how))
    session = run("--pareto")
    measured = {case.case_id: case.verdict for case in session.cases}
    assert measured["test_it.py::test_next"] is Verdict.NEW  # nothing is left behind
    if not how:
        assert session.exit_code == 1
        text = " ".join(session.text.split())
        assert "test_it.py::test_it#b was to be measured while another measurement" in text
        assert "measure one after the other" in text
    assert "test_it.py::test_it#b" not in measured


def test_unmeasured_calls_may_be_gathered(pytester: pytest.Pytester, run: "Run") -> None:
    passes(pytester, run, GATHERED.replace("{how}", ""))


FORGOTTEN = """
async def reply():
    return 1
async def tokens():
    yield 1
def test_it(pareto):
    pareto.measure(len, "")
    pareto.configure(name="told").{verb}.close()
"""


@pytest.mark.parametrize("verb", ["ameasure(reply)", "astream(tokens)"])
def test_a_forgotten_await_is_told(pytester: pytest.Pytester, run: "Run", verb: str) -> None:
    # Closed, so that it is not Python's warning that tells: a run in a process of its own has none.
    pytester.makepyfile(test_it=FORGOTTEN.replace("{verb}", verb))
    assert run().exit_code == 0
    session = run("--pareto")
    assert session.exit_code == 1
    text = " ".join(session.text.split())
    assert f"pareto.{verb[:-1]}, ...) was never awaited" in text
    assert "so that test_it.py::test_it#told was not measured" in text
