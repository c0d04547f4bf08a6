"""Odd lives of a test, as data: each is put into the project's test, which has regressed.

Code goes into the test before it measures (``before``), in place of the measured call (``call``),
``between`` measuring and recording, or ``after``; ``top`` goes above the test, ``marks`` on it, and
``needs`` are further fixtures. ``source`` stands for the whole file. ``prepare`` is run in the
project's folder beforehand. Where the exit code may be 0, ``reported`` is what the report has to say. Where it ``breaks`` pytest itself, or what Python needs to
write a file, the session may end with pytest's internal error: it is red.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_JUDGED = r"not judged|nothing was measured|not be compared|MISSING"


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a test; ``ends`` is whether it ends the session's only process with code 0."""

    name: str
    before: str = ""
    call: str = ""
    between: str = ""
    after: str = ""
    top: str = ""
    marks: str = ""
    needs: str = ""
    source: str = ""
    conftest: str = ""
    ini: str = ""
    prepare: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    reported: str = ""
    ends: bool = False
    breaks: bool = False
    writes: bool = False


_SMALL = "if variant == 'small': "


def _small(code: str) -> str:
    return _SMALL + code


_SKIPS = (
    Life("skip by a marker", marks="@pytest.mark.skip", reported=NOT_JUDGED),
    Life("skip by a condition", marks="@pytest.mark.skipif(True, reason='x')", reported=NOT_JUDGED),
    Life("skip before measuring", before=_small("pytest.skip('x')"), reported=NOT_JUDGED),
    Life("skip between", between=_small("pytest.skip('x')"), reported=NOT_JUDGED),
    Life("skip after recording", after=_small("pytest.skip('x')"), reported=NOT_JUDGED),
    Life(
        "skip in the measured call",
        call="pareto.measure(lambda: pytest.skip('x'))",
        reported=NOT_JUDGED,
    ),
    Life(
        "skip of the module", top="pytest.skip('x', allow_module_level=True)", reported=NOT_JUDGED
    ),
    Life("importorskip", top="pytest.importorskip('no_such_module')", reported=NOT_JUDGED),
    Life(
        "skip, and missing is a failure", marks="@pytest.mark.skip", args=("--pareto-missing=fail",)
    ),
    Life("xfail that passes", marks="@pytest.mark.xfail", reported=NOT_JUDGED),
    Life("strict xfail that passes", marks="@pytest.mark.xfail(strict=True)"),
    Life("xfail that does not run", marks="@pytest.mark.xfail(run=False)", reported=NOT_JUDGED),
    Life("xfail that raises", marks="@pytest.mark.xfail", after="1 / 0", reported=NOT_JUDGED),
    Life("xfail in the test", after=_small("pytest.xfail('x')"), reported=NOT_JUDGED),
    Life(
        "skipped by a fixture",
        needs=", skipping",
        top="@pytest.fixture\ndef skipping(): pytest.skip('x')",
        reported=NOT_JUDGED,
    ),
    Life(
        "unittest's skip",
        before=_small("import unittest; raise unittest.SkipTest('x')"),
        reported=NOT_JUDGED,
    ),
    Life(
        "an empty parametrize",
        marks="@pytest.mark.parametrize('more', [])",
        needs=", more",
        reported=NOT_JUDGED,
    ),
)

_RAISES = (
    Life("raise before measuring", before=_small("raise ValueError('x')")),
    Life("raise between", between=_small("raise ValueError('x')")),
    Life("raise after recording", after=_small("raise ValueError('x')")),
    Life("raise in the measured call", call="pareto.measure(lambda: 1 / 0)"),
    Life(
        "raise in the third call",
        call="calls = []\n    def third():\n        calls.append(sleep(world['seconds']))\n        assert len(calls) != 3\n    pareto.measure(third)",
    ),
    Life(
        "raise an exception whose text raises",
        after="class Bad(Exception):\n        def __str__(self): raise ValueError\n    raise Bad",
    ),
    Life("raise a BaseException", after=_small("raise BaseException('x')")),
    Life("raise an exception group", after=_small("raise ExceptionGroup('x', [ValueError()])")),
    Life("an endless recursion", before="def again(): again()\n    again()"),
    Life("MemoryError", before=_small("raise MemoryError")),
    Life("StopIteration", after=_small("raise StopIteration")),
    Life("GeneratorExit", after=_small("raise GeneratorExit")),
    Life("a failing assert", after=_small("assert not 'x'")),
    Life("pytest.fail", after=_small("pytest.fail('x')")),
    Life(
        "an exception with a lone surrogate",
        after=_small("raise ValueError('\\ud800\\x00\\x1b[2J')"),
    ),
    Life("an exception of a megabyte", after=_small("raise ValueError('x' * 10**6)")),
)

_ENDS = (
    Life("sys.exit(0) before", before=_small("import sys; sys.exit(0)")),
    Life("sys.exit(0) after", after=_small("import sys; sys.exit(0)")),
    Life("sys.exit in the measured call", call="import sys; pareto.measure(sys.exit, 0)"),
    Life("os._exit(0)", after=_small("import os; os._exit(0)"), ends=True),
    Life(
        "os._exit(0) in a fresh process",
        after=_small("import os; os._exit(0)"),
        args=("--pareto-runs=2",),
    ),
    Life(
        "os._exit(0) at exit, in a fresh process",
        top="import atexit, os; atexit.register(os._exit, 0)",
        args=("--pareto-runs=2",),
    ),
    Life("os._exit(1)", before=_small("import os; os._exit(1)")),
    Life("SIGKILL", after=_small("import os; os.kill(os.getpid(), 9)")),
    Life(
        "SIGKILL in a fresh process",
        after=_small("import os; os.kill(os.getpid(), 9)"),
        args=("--pareto-runs=2",),
    ),
    Life("SIGTERM", after=_small("import os; os.kill(os.getpid(), 15)")),
    Life(
        "SIGTERM in a fresh process",
        after=_small("import os; os.kill(os.getpid(), 15)"),
        args=("--pareto-runs=2",),
    ),
    Life("SIGHUP", after=_small("import os; os.kill(os.getpid(), 1)")),
    Life("SIGINT", after=_small("import os; os.kill(os.getpid(), 2)")),
    Life("KeyboardInterrupt", before=_small("raise KeyboardInterrupt")),
    Life(
        "KeyboardInterrupt in the last test",
        before="if variant == 'large': raise KeyboardInterrupt",
    ),
    Life("abort", before=_small("import os; os.abort()")),
    Life("a segmentation fault", before=_small("import ctypes; ctypes.string_at(0)")),
    Life(
        "a segmentation fault in a fresh process",
        before=_small("import ctypes; ctypes.string_at(0)"),
        args=("--pareto-runs=2",),
    ),
    Life("pytest.exit", after=_small("pytest.exit('x')")),
    Life("pytest.exit with 0", after=_small("pytest.exit('x', returncode=0)")),
    Life(
        "pytest.exit with 0 in the last test",
        after="if variant == 'large': pytest.exit('x', returncode=0)",
    ),
    Life("pytest.exit with 0 before all", before="pytest.exit('x', returncode=0)"),
    Life("pytest.exit with 3", after=_small("pytest.exit('x', returncode=3)")),
    Life(
        "pytest.exit with 0 in a fresh process",
        after="pytest.exit('x', returncode=0)",
        args=("--pareto-runs=2",),
    ),
    Life("session.shouldstop", needs=", request", after="request.session.shouldstop = 'x'"),
    Life("session.shouldfail", needs=", request", after="request.session.shouldfail = 'x'"),
)

_FIXTURES = (
    Life("a fixture that fails", needs=", bad", top="@pytest.fixture\ndef bad(): raise ValueError"),
    Life(
        "a fixture that fails at its end",
        needs=", bad",
        top="@pytest.fixture\ndef bad():\n    yield\n    raise ValueError",
    ),
    Life(
        "a fixture of the session that fails at its end",
        needs=", bad",
        top="@pytest.fixture(scope='session')\ndef bad():\n    yield\n    raise ValueError",
    ),
    Life(
        "a fixture that skips at its end",
        needs=", bad",
        top="@pytest.fixture\ndef bad():\n    yield\n    pytest.skip('x')",
    ),
    Life(
        "a fixture that exits",
        needs=", bad",
        top="import sys\n@pytest.fixture\ndef bad(): sys.exit(0)",
    ),
    Life(
        "a fixture that yields twice",
        needs=", bad",
        top="@pytest.fixture\ndef bad():\n    yield\n    yield",
    ),
    Life("a fixture that does not exist", needs=", nowhere"),
    Life("a finalizer that raises", needs=", request", after="request.addfinalizer(lambda: 1 / 0)"),
    Life(
        "another fixture named pareto",
        top="@pytest.fixture\ndef pareto():\n    from unittest.mock import MagicMock\n    return MagicMock()",
    ),
    Life("setup_module raises", top="def setup_module(): raise ValueError"),
    Life("teardown_module raises", top="def teardown_module(): raise ValueError"),
)

_MEASURES = (
    Life("no measurement at all", source="def test_generate(pareto): pass\n"),
    Life("no measurement of one case", before=_small("return")),
    Life("a return before the scores", between=_small("return")),
    Life("the same metric twice", after="pareto.record('accuracy', 0.8, better='higher')"),
    Life("two measurements of one name", after="pareto.measure(sleep, 0.01)"),
    Life("two names", after="pareto.configure(name='more').measure(sleep, 0.01)"),
    Life("another name", call="pareto.configure(name='other').measure(sleep, world['seconds'])"),
    Life(
        "a fixture kept for the next test",
        top="KEPT = []",
        after="KEPT.append(pareto)\n    KEPT[0].record('late', 1.0, better='lower')",
    ),
    Life(
        "measured in another thread",
        call="import threading\n    t = threading.Thread(target=pareto.measure, args=(sleep, world['seconds']))\n    t.start(); t.join()",
    ),
    Life(
        "a thread that raises",
        after="import threading\n    t = threading.Thread(target=lambda: 1 / 0)\n    t.start(); t.join()",
    ),
    Life(
        "a thread that stays",
        after="import threading, time\n    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()",
    ),
    Life(
        "a fork that goes on", after="import os\n    if os.fork() == 0: os._exit(0)\n    os.wait()"
    ),
    Life(
        "a fork that returns",
        after="import os\n    if os.fork() == 0: raise SystemExit(0)\n    os.wait()",
    ),
    Life(
        "a generator that is not consumed",
        call="def lazy():\n        yield sleep(world['seconds'])\n    pareto.measure(lazy)",
    ),
    Life(
        "a coroutine that is not awaited",
        call="async def later(): sleep(world['seconds'])\n    pareto.measure(later)",
    ),
    Life(
        "ameasure that is not awaited",
        call="async def later(): sleep(world['seconds'])\n    pareto.ameasure(later)",
    ),
    Life(
        "ameasure in asyncio.run",
        call="import asyncio\n    async def later(): sleep(world['seconds'])\n    async def all(): await pareto.ameasure(later)\n    asyncio.run(all())",
    ),
    Life(
        "ameasure that is cancelled",
        call="import asyncio\n    async def later(): await asyncio.sleep(9)\n    async def all(): await asyncio.wait_for(pareto.ameasure(later), 0.05)\n    asyncio.run(all())",
    ),
    Life("an async test without a plugin", source="async def test_generate(pareto): pass\n"),
    Life(
        "a test that is a generator",
        source="import pytest\n@pytest.mark.parametrize('variant', ['small', 'large'])\ndef test_generate(pareto, sleep, variant):\n    pareto.measure(sleep, 0.03)\n    yield\n",
    ),
    Life("a test that returns a value", after="return 1"),
    Life("no arguments that a call needs", call="pareto.measure(sleep)"),
    Life("what is no function", call="pareto.measure(3)"),
    Life("an empty stream", call="pareto.stream(lambda: iter(()))"),
    Life(
        "a stream in place of a call", call="pareto.stream(lambda: iter([sleep(world['seconds'])]))"
    ),
    Life("setup that raises", call="pareto.configure(setup=lambda: 1 / 0).measure(sleep)"),
    Life("a marker with nonsense", marks="@pytest.mark.pareto(tolerance={'latency': '3%'})"),
    Life("a marker with an unknown word", marks="@pytest.mark.pareto(tolerances={})"),
    Life("a budget that is no budget", marks="@pytest.mark.pareto(budget={'latency': 'fast'})"),
    Life(
        "measuring in the measured call",
        call="pareto.measure(lambda: pareto.measure(sleep, world['seconds']))",
    ),
)

_NUMBERS = tuple(
    Life(f"an accuracy of {value}", after=f"pareto.record('more', {value}, better='higher')")
    for value in (
        *(
            "float('nan')",
            "float('inf')",
            "-float('inf')",
            "None",
            "'0.9'",
            "1j",
            "[]",
            "{}",
            "[1, 2]",
        ),
        *("10**400", "1e200", "np.array([])", "np.float32('nan')", "np.array(['x'])", "object()"),
    )
)

_SCORES = (
    *_NUMBERS,
    Life(
        "scores with NaN",
        after="pareto.record('more', [1.0, float('nan')], ids=['a', 'b'], better='higher')",
    ),
    Life(
        "scores with one id less",
        after="pareto.record('more', [1.0, 2.0], ids=['a'], better='higher')",
    ),
    Life(
        "scores with an id twice",
        after="pareto.record('more', [1.0, 2.0], ids=['a', 'a'], better='higher')",
    ),
    Life(
        "scores with a surrogate as id",
        after="pareto.record('more', [1.0, 2.0], ids=['\\ud800', 'b'], better='higher')",
    ),
    Life("scores without a direction", after="pareto.record('more', 1.0)"),
    Life("a metric without a name", after="pareto.record('', 1.0, better='lower')"),
    Life("a metric with a long name", after="pareto.record('x' * 10**5, 1.0, better='lower')"),
    Life("other samples than before", top="IDS = IDS[:12]"),
    Life("no samples", top="IDS = []"),
    Life(
        "the direction turned",
        call="pareto.record('other', 1.0, better='lower')\n    pareto.measure(sleep, world['seconds'])\n    record = pareto.record\n    pareto.record = lambda name, value, **k: record(name, value, **k | {'better': 'lower'})",
    ),
    Life("a clock that stands still", conftest="Clock.sleep = lambda self, seconds: None"),
    Life(
        "a clock that runs back",
        conftest="def back(self, seconds): self.now_ns -= int(1e9 * seconds)\nClock.sleep = back",
    ),
)

_SELECTIONS = (
    Life("-k another case", args=("-k", "large"), reported=r"deselected"),
    Life(
        "--deselect",
        args=("--deselect", "test_model.py::test_generate[small]"),
        reported=r"deselected",
    ),
    Life("-m not pareto", args=("-m", "not pareto")),
    Life("one case by its name", args=("test_model.py::test_generate[large]",), reported=r"."),
    Life("-x behind a failure", args=("-x",), before=_small("assert 0")),
    Life("--maxfail", args=("--maxfail=1",), after="assert 0"),
    Life("--lf without a cache", args=("--lf", "-p", "cacheprovider")),
    Life("--sw", args=("--sw", "-p", "cacheprovider")),
    Life("--collect-only", args=("--co",), reported=r"collected|test_model"),
    Life("--collect-only in CI", args=("--co",), env={"CI": "1"}),
    Life("addopts = --co in CI", ini="addopts = --co\n", env={"CI": "1"}),
    Life("--setup-only", args=("--setup-only",)),
    Life("--setup-plan", args=("--setup-plan",)),
    Life("--ignore", args=("--ignore=test_model.py",)),
    Life("a file that is not there", args=("test_nowhere.py",)),
    Life(
        "testpaths elsewhere",
        ini="testpaths = elsewhere\n",
        prepare="import os; os.mkdir('elsewhere')",
    ),
    Life("python_functions that match nothing", ini="python_functions = bench_*\n"),
    Life("collect_ignore", conftest="collect_ignore = ['test_model.py']"),
    Life(
        "a hook that drops all tests",
        conftest="def pytest_collection_modifyitems(items): items.clear()",
    ),
    Life(
        "a hook that drops one test",
        conftest="def pytest_collection_modifyitems(items): del items[0]",
    ),
    Life(
        "a hook that reverses the tests",
        conftest="def pytest_collection_modifyitems(items): items.reverse()",
    ),
    Life(
        "a hook that runs a test twice",
        conftest="def pytest_runtest_protocol(item, nextitem):\n    from _pytest.runner import runtestprotocol\n    for _ in range(2): runtestprotocol(item, nextitem=nextitem)\n    return True",
    ),
    Life(
        "a hook that runs nothing",
        conftest="def pytest_runtest_protocol(item, nextitem): return True",
    ),
    Life("a hook that runs no loop", conftest="def pytest_runtestloop(session): return True"),
    Life("a hook that calls no test", conftest="def pytest_pyfunc_call(pyfuncitem): return True"),
    Life(
        "a hook that passes all",
        conftest="@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    report = yield\n    report.outcome = 'passed'\n    return report",
        after=_small("assert 0"),
    ),
    Life(
        "a hook that raises",
        breaks=True,
        conftest="def pytest_runtest_logreport(report): raise ValueError('mine')",
    ),
    Life("the plugin twice", args=("-p", "pytest_pareto.plugin")),
    Life("no terminal", args=("-p", "no:terminal")),
    Life("no capture", args=("-s",)),
    Life("very quiet", args=("-qqq",)),
    Life("very verbose", args=("-vvv",)),
    Life("no tracebacks", args=("--tb=no", "--no-summary")),
    Life("warnings as errors", args=("-W", "error")),
    Life(
        "a warning in the test, as an error",
        args=("-W", "error"),
        after="import warnings; warnings.warn('x')",
    ),
    Life("imported by importlib", args=("--import-mode=importlib",)),
    Life(
        "pdb is asked for",
        args=("--pdb",),
        before=_small("assert 0"),
        prepare="import os; os.close(0); os.open('/dev/null', 0)",
    ),
    Life("xdist", args=("-p", "xdist", "-n", "2")),
    Life(
        "xdist whose worker dies",
        args=("-p", "xdist", "-n", "2"),
        before=_small("import os; os._exit(0)"),
    ),
)

_MOVES = (
    Life("the test renamed", prepare="rename('test_generate', 'test_other')"),
    Life("the test removed", source="def test_nothing(): pass\n"),
    Life("the file renamed", prepare="import os; os.rename('test_model.py', 'test_other.py')"),
    Life("the file removed", prepare="import os; os.remove('test_model.py')"),
    Life("the file empty", source=""),
    Life("the file moved", prepare="import os; os.mkdir('below'); os.rename('test_model.py', 'below/test_model.py'); os.link('world.json', 'below/world.json')"),
    Life("a syntax error", source="def test_generate(:\n"),
    Life("an error when it is imported", top="1 / 0"),
    Life("an exit when it is imported", breaks=True, top="import sys; sys.exit(0)"),
    Life("pytest.exit with 0 when it is imported", top="pytest.exit('x', returncode=0)"),
    Life("an error in the conftest", conftest="1 / 0"),
    Life("a second test of the same name", top="", after="pass\n\ndef test_generate(): pass"),
    Life("a parameter renamed", prepare="rename('\"small\"', '\"tiny\"')"),
    Life("a parameter twice", prepare="rename('[\"small\", ', '[\"small\", \"small\", ')"),
    *(
        Life(f"a parameter {name}", prepare=f"rename('[\"small\", ', '[pytest.param(\"small\", id={text}), ')")
        for name, text in (
            *(("with a long id", "\"x\" * 5000"), ("with a line end", "\"a\\\\nb\"")),
            *(("with signs", "\"a::b#c[d]/../e\""), ("without an id", "\"\"")),
            *(("of other letters", "\"é😀\\\\u202e\""), ("with a null byte", "\"\\\\x00\"")),
        )
    ),
    Life("a class around it", prepare="rename('def test_generate(pareto', 'class TestX:\\n  def test_generate(self, pareto')"),
)  # fmt: skip

_PLACES = (
    Life("chdir", before="import os; os.chdir('/')"),
    Life(
        "chdir into a folder that is gone",
        before="import os, tempfile; t = tempfile.mkdtemp(); os.chdir(t); os.rmdir(t)",
    ),
    Life("an empty environment", before="import os; os.environ.clear()"),
    Life(
        "an empty environment, in fresh processes",
        before="import os; os.environ.clear()",
        args=("--pareto-runs=2",),
    ),
    Life("CI in the environment of the test", before="import os; os.environ['CI'] = '1'"),
    Life("a temporary folder that is not there", env={"TMPDIR": "/nonexistent"}),
    Life(
        "a temporary folder that is not there, fresh processes",
        env={"TMPDIR": "/nonexistent"},
        args=("--pareto-runs=2",),
    ),
    Life("one column", env={"COLUMNS": "1"}),
    Life("ASCII alone", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}),
    Life("stdout closed", after="import sys; sys.stdout.close()"),
    Life("descriptor 1 closed", args=("-s",), after="import os; os.close(1)"),
    Life(
        "time.perf_counter stands",
        before="import time; time.perf_counter = time.perf_counter_ns = lambda: 0",
    ),
    Life("time.monotonic stands", before="import time; time.monotonic = lambda: 0.0"),
    Life("time.time runs back", before="import time; time.time = lambda: -1.0"),
    Life("json broken", breaks=True, after="import json; json.dumps = None"),
    Life("open broken", breaks=True, after="import builtins, io; builtins.open = io.open = None"),
    Life("a low limit of recursion", breaks=True, before="import sys; sys.setrecursionlimit(120)"),
    Life("random state", before="import random; random.seed(0); np.random.seed(0)"),
    Life("numpy raises on overflow", before="np.seterr(all='raise')"),
    Life("a handler of SIGTERM", before="import signal; signal.signal(15, signal.SIG_IGN)"),
    Life("an umask that forbids", before="import os; os.umask(0o777)"),
    Life("the garbage collector off", before="import gc; gc.disable()"),
    Life(
        "the project's folder removed",
        after="import shutil; shutil.rmtree(pathlib.Path(__file__).parent)",
        writes=True,
    ),
    Life(
        "the baseline removed",
        after="import shutil; shutil.rmtree(pathlib.Path(__file__).with_name('pareto_baselines'), True)",
        writes=True,
        reported="no baseline",
    ),
    Life(
        "the baseline a file",
        prepare="import os, shutil; shutil.rmtree('pareto_baselines'); open('pareto_baselines', 'w').close()",
        writes=True,
    ),
    Life(
        "the baseline a link to nothing",
        prepare="import os, shutil; shutil.rmtree('pareto_baselines'); os.symlink('nowhere', 'pareto_baselines')",
        writes=True,
        reported="no baseline|NEW",
    ),
    Life(
        "the baseline a link to itself",
        prepare="import os, shutil; shutil.rmtree('pareto_baselines'); os.symlink('pareto_baselines', 'pareto_baselines')",
        writes=True,
    ),
    Life("the baseline corrupt", prepare="corrupt()", writes=True),
    Life(
        "the baseline corrupted by the test",
        after="p = next(pathlib.Path(__file__).with_name('pareto_baselines').glob('cpu*/test_model.json')); p.write_text('{')",
        writes=True,
    ),
    Life(
        "the candidate a file",
        prepare="import shutil; shutil.rmtree('.pareto_candidate'); open('.pareto_candidate', 'w').close()",
    ),
    Life("the results cannot be written", args=("--pareto-json=/proc/x.json",)),
    Life(
        "no byte can be written",
        before="import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    ),
    Life(
        "no file can be opened",
        breaks=True,
        after="import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))",
    ),
)

_UPDATES = (
    Life(
        "an update where a test fails",
        args=("--pareto-update", "--pareto-runs=1"),
        after="assert 0",
    ),
    Life(
        "an update where one test fails",
        args=("--pareto-update", "--pareto-runs=1"),
        after=_small("assert 0"),
    ),
    Life(
        "an update without tests",
        args=("--pareto-update", "--pareto-runs=1"),
        source="def test_x(): pass\n",
    ),
    Life(
        "an update of everything, without tests",
        args=("--pareto-update=all", "--pareto-runs=1"),
        source="def test_x(): pass\n",
    ),
    Life(
        "an update that is interrupted",
        args=("--pareto-update", "--pareto-runs=1"),
        before="raise KeyboardInterrupt",
    ),
    Life(
        "an update of which a process dies",
        args=("--pareto-update", "--pareto-runs=2"),
        after="import os; os.kill(os.getpid(), 9)",
    ),
    Life(
        "an update that skips",
        args=("--pareto-update=all", "--pareto-runs=1"),
        marks="@pytest.mark.skip",
        reported=NOT_JUDGED,
    ),
    Life(
        "an update that pytest.exit ends",
        args=("--pareto-update", "--pareto-runs=1"),
        after="pytest.exit('x', returncode=0)",
    ),
    Life("an update with -k", args=("--pareto-update=all", "--pareto-runs=1", "-k", "nothing")),
    Life(
        "an update without space",
        args=("--pareto-update", "--pareto-runs=1"),
        conftest="import resource, signal\ndef pytest_runtest_logreport(report):\n    if True:\n        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))",
    ),
    Life(
        "an update of NaN",
        args=("--pareto-update", "--pareto-runs=1"),
        after="pareto.record('more', float('nan'), better='higher')",
    ),
)

_OTHERS = (
    Life("nothing odd"),
    Life("nothing odd, in fresh processes", args=("--pareto-runs=2",)),
    Life("nothing odd, confirmed", args=("--pareto-confirm=1",)),
    Life(
        "confirmed by a process that dies",
        args=("--pareto-confirm=1",),
        conftest="import os\ndef pytest_sessionstart(session):\n    if session.config.getoption('--pareto-child'): os._exit(0)",
    ),
    Life(
        "confirmed by tests that skip",
        args=("--pareto-confirm=1",),
        needs=", request",
        before="if request.config.getoption('--pareto-child'): pytest.skip('x')",
    ),
    Life(
        "confirmed by tests that fail",
        args=("--pareto-confirm=1",),
        needs=", request",
        before="assert not request.config.getoption('--pareto-child')",
    ),
    Life(
        "missing is a warning, and it is renamed",
        args=("--pareto-missing=warn",),
        prepare="rename('test_generate', 'test_other')",
        reported="missing",
    ),
    Life("another root", args=("--rootdir=/tmp",), reported="no baseline|NEW"),
    Life(
        "another baseline folder", args=("--pareto-baseline=elsewhere",), reported="no baseline|NEW"
    ),
    Life("alpha of 0", ini="pareto_alpha = 0\n"),
    Life("alpha of 1e-300", ini="pareto_alpha = 1e-300\n"),
    Life("an unknown option", ini="pareto_alfa = 0.05\n"),
    Life("an anchor that is not there", args=("--pareto-anchor=nowhere",)),
    Life("--pareto-runs=0", args=("--pareto-runs=0",)),
    Life("--pareto-confirm=-1", args=("--pareto-confirm=-1",)),
    Life("a ref that is none", args=("--pareto-against=no-such-ref",)),
)

GROUPS: Mapping[str, tuple[Life, ...]] = {
    "skips and expected failures": _SKIPS,
    "exceptions": _RAISES,
    "ends of the process or of the session": _ENDS,
    "fixtures": _FIXTURES,
    "how it measures": _MEASURES,
    "what it records": _SCORES,
    "selections, hooks and options of pytest": _SELECTIONS,
    "renamed, moved, removed": _MOVES,
    "its surroundings": _PLACES,
    "updates": _UPDATES,
    "options of pytest-pareto": _OTHERS,
}
