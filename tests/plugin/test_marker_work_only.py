"""``work_only=True``: a full-size model's work gates on a machine that could not run it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.work.flops import count_work
from pytest_pareto.model.attribution import front_decoded
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Position, Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

torch: Any = pytest.importorskip("torch")

# What torch imports when it is used must outlive the sessions that run inside of this process:
# it cannot be imported twice.
count_work(lambda x: x @ x, torch.ones(2, 2))

MODEL = """
import pytest, torch

@pytest.mark.pareto(work_only=True{options})
def test_model(pareto):
    with torch.device("{device}"):
        model = torch.nn.Sequential(
            torch.nn.Linear(64, {width}), torch.nn.GELU(), torch.nn.Linear({width}, 64)
        )
        x = torch.ones(8, 64)
    result = pareto.measure(model, x)
    assert result.shape == (8, 64)
"""
FLOPS = 2 * 2 * 8 * 64 * 64


def write(
    pytester: pytest.Pytester, *, width: int = 64, options: str = "", device: str = "meta"
) -> None:
    pytester.makepyfile(test_it=MODEL.format(width=width, options=options, device=device))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the model, from a real fresh process, recorded once."""
    path = tmp_path_factory.mktemp("work")
    (path / "test_it.py").write_text(MODEL.format(width=64, options="", device="meta"))
    options = ("--pareto", "--pareto-update", "--pareto-runs=1", "-p", "no:cacheprovider")
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path / "pareto_baselines"


@pytest.fixture
def baseline(pytester: pytest.Pytester, recorded: Path) -> None:
    shutil.copytree(recorded, pytester.path / "pareto_baselines")


def outcomes(session: "Session") -> dict[str, Outcome]:
    return {
        m.metric.name: m.outcome for m in session.case("test_it.py::test_model").comparison.metrics
    }


def test_its_baseline_holds_anywhere(recorded: Path) -> None:
    files = [p.relative_to(recorded).as_posix() for p in recorded.rglob("test_it*.json")]
    assert sorted(files) == ["any/test_it.json", "any/test_it.profile.json"]


def test_its_flops_are_known_by_module(recorded: Path) -> None:
    content = json.loads((recorded / "any" / "test_it.profile.json").read_text())
    entry = content["cases"]["test_model"]
    names, ((found,),) = front_decoded(entry["names"]), entry["metrics"].values()
    parts = {(names[what], names[place]): flops for what, place, flops in found}
    each = FLOPS // 2
    assert parts == {
        ("aten::addmm", "Sequential.0"): each,
        ("aten::addmm", "Sequential.2"): each,
    }


@pytest.mark.usefixtures("baseline")
def test_unchanged_work_passes_and_flops_gate(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester)
    session = run("--pareto")
    assert session.exit_code == 0
    metrics = session.case("test_it.py::test_model").comparison.metrics
    found = {m.metric.name: (m.metric.gates, m.candidate, m.outcome) for m in metrics}
    assert found == {
        "flops": (True, FLOPS, Outcome.UNCHANGED),
        "operations": (False, 3, Outcome.UNCHANGED),
    }


@pytest.mark.usefixtures("baseline")
def test_the_real_model_has_the_work_of_the_one_without_weights(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    write(pytester, device="cpu")
    assert run("--pareto").exit_code == 0


@pytest.mark.usefixtures("baseline")
def test_extra_work_fails_and_is_named(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester, width=65)
    session = run("--pareto")
    assert session.exit_code == 1
    assert session.case("test_it.py::test_model").verdict is Verdict.DOMINATED
    assert outcomes(session) == {"flops": Outcome.WORSE, "operations": Outcome.UNCHANGED}
    session.result.stdout.fnmatch_lines(["FAILED test_it.py::test_model - flops WORSE*"])
    assert "why: +1024  aten::addmm in Sequential.0: 65536 → 66560\n" in session.text


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(
    ("options", "exit_code"), [("", 0), (", tolerance={'operations': 0}", 1)], ids=["", "asked"]
)
def test_an_extra_operation_fails_where_that_is_asked_for(
    pytester: pytest.Pytester, run: "Run", options: str, exit_code: int
) -> None:
    write(pytester, options=options)
    path = pytester.path / "test_it.py"
    path.write_text(path.read_text().replace("torch.nn.GELU()", "torch.nn.GELU(), torch.nn.ReLU()"))
    session = run("--pareto")
    assert session.exit_code == exit_code
    assert outcomes(session) == {"flops": Outcome.UNCHANGED, "operations": Outcome.WORSE}


@pytest.mark.usefixtures("baseline")
def test_less_work_is_an_improvement(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester, width=48)
    session = run("--pareto")
    assert session.exit_code == 0
    assert session.case("test_it.py::test_model").verdict is Verdict.IMPROVED


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize("options", [", tolerance={'flops': 0.05}", ", gate=False"])
def test_the_marker_says_otherwise(pytester: pytest.Pytester, run: "Run", options: str) -> None:
    write(pytester, width=65, options=options)
    assert run("--pareto").exit_code == 0


@pytest.mark.parametrize(
    "options",
    [", tolerance={'latency': 0.05}", ", budget={'latency': '<= 1 s'}", ", give_up={'energy': 1}"],
)
def test_a_limit_on_what_is_not_counted_is_an_error(
    pytester: pytest.Pytester, run: "Run", options: str
) -> None:
    write(pytester, options=options)
    session = run("--pareto")
    assert session.exit_code == 1
    name = "energy" if "energy" in options else "latency"
    session.result.stdout.fnmatch_lines([f"*names '{name}', which a test with work_only=True*"])


@pytest.mark.parametrize("limit", ["{'latency': 0.5}", "{'operations': 0, 'accuracy': 0.1}"])
def test_a_file_may_limit_what_its_other_tests_measure(
    pytester: pytest.Pytester, run: "Run", limit: str
) -> None:
    write(pytester)
    path = pytester.path / "test_it.py"
    mark = f"pytestmark = pytest.mark.pareto(tolerance={limit})\n"
    record = "\n    pareto.record('accuracy', 0.5, better='higher')\n"
    path.write_text(path.read_text().replace("@pytest", mark + "@pytest") + record)
    assert run("--pareto").exit_code == 0


def test_one_of_both_can_be_left_out(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester, options=", skip_metrics=['operations']")
    assert set(outcomes(run("--pareto"))) == {"flops"}


def test_a_budget_is_kept(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester, options=f", budget={{'flops': '<= {FLOPS}'}}")
    assert run("--pareto").exit_code == 0
    write(pytester, options=f", budget={{'flops': '<= {FLOPS - 1}'}}")
    assert run("--pareto").exit_code == 1


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_without_pareto_it_is_as_cheap(pytester: pytest.Pytester, run: "Run", device: str) -> None:
    source = """
import pytest, torch
from pytest_pareto import count_work
calls = []

@pytest.mark.pareto(work_only=True)
def test_model(pareto):
    x = torch.ones(100_000, 1, device="{device}")
    def function(x):
        calls.append(x)
        return x @ x.t()
    assert pareto(function, x).shape == (100_000, 100_000)
    assert len(calls) == 1
"""
    pytester.makepyfile(test_it=source.format(device=device))
    for args in ((), ("--pareto",)):
        session = run(*args)
        assert session.exit_code == 0, session.text
    assert not (pytester.path / "pareto_baselines").exists()


KERNEL = """
if not hasattr(torch, "kernel_of_this_test"):  # it cannot be defined twice in a process
    torch.kernel_of_this_test = torch.library.Library("pareto_work", "FRAGMENT")
    torch.kernel_of_this_test.define("kernel(Tensor x) -> Tensor")
    torch.kernel_of_this_test.impl("kernel", lambda x: x * 1, "CompositeExplicitAutograd")

@pytest"""


def swap(pytester: pytest.Pytester) -> None:
    """Replace the last layer by an operation like those of kernel packages, without a formula."""
    write(pytester)
    path = pytester.path / "test_it.py"
    counted = "pareto.measure(model, x)"
    hidden = "pareto.measure(lambda x: torch.ops.pareto_work.kernel(model[:2](x)), x)"
    path.write_text(path.read_text().replace("@pytest", KERNEL).replace(counted, hidden))


@pytest.mark.usefixtures("baseline")
def test_a_count_that_misses_an_operation_is_no_improvement(
    pytester: pytest.Pytester, run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    swap(pytester)
    session = run("--pareto", "-v")
    assert session.exit_code == 0
    case = session.case("test_it.py::test_model")
    flops = case.comparison.metric("flops")
    assert flops is not None
    assert (flops.outcome, flops.candidate) == (Outcome.NOT_COMPARABLE, FLOPS / 2)
    assert case.place.position is Position.AMBIGUOUS
    assert "without the FLOPs of pareto_work.kernel" in " ".join(session.text.split())


def test_a_baseline_remembers_that_its_count_is_a_lower_bound(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    swap(pytester)
    assert run("--pareto", "--pareto-update", "--pareto-runs=1").exit_code == 0
    (file,) = (pytester.path / "pareto_baselines" / "any").glob("test_it.json")
    assert '"lower_bound": "without the FLOPs of pareto_work.kernel' in file.read_text()
    write(pytester)
    session = run("--pareto")
    assert session.exit_code == 0
    assert outcomes(session)["flops"] is Outcome.NOT_COMPARABLE
    assert "the baseline has a lower bound of it" in " ".join(session.text.split())
    # An update records the first complete count, which then gates.
    run("--pareto", "--pareto-update=new", "--pareto-runs=1")
    assert outcomes(run("--pareto"))["flops"] is Outcome.UNCHANGED


def test_nothing_but_work_is_measured(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makeconftest(
        """
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.testing import ScriptedMeter
FUEL = Metric("fuel", "l", Better.LOWER, Kind.EXACT, Scope.ANYWHERE, 0.0, relative=True)
def pytest_pareto_meters(config):
    return [ScriptedMeter(FUEL, [[3.0]])]
"""
    )
    write(pytester)
    session = run("--pareto")
    assert set(outcomes(session)) == {"flops", "operations"}


def test_elsewhere_operations_are_not_measured(pytester: pytest.Pytester, run: "Run") -> None:
    source = MODEL.replace("work_only=True", "").format(width=8, device="cpu", options="{options}")
    pytester.makepyfile(test_it=source.replace("{options}", ""))
    session = run("--pareto")
    assert "operations" not in outcomes(session)
    # So a tolerance for it would silently never gate.
    pytester.makepyfile(test_it=source.replace("{options}", "tolerance={'operations': 0.1}"))
    session = run("--pareto")
    assert session.exit_code == 1
    assert "names 'operations', which this test neither measures nor records" in session.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pareto(lambda: x + 1)", "0 FLOPs counted"),
        ("pareto(lambda: (x @ x).sum().item())", "asks for numbers at *test_it.py:5"),
        ("pareto.configure(metrics=['latency'])(lambda: x @ x)", "both are left out"),
    ],
)
@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_what_cannot_be_counted_fails_in_a_message(
    pytester: pytest.Pytester, run: "Run", body: str, message: str, args: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        test_it=f"""
import pytest, torch
@pytest.mark.pareto(work_only=True)
def test_it(pareto):
    x = torch.ones(4, 4)
    {body}
"""
    )
    session = run(*args)
    assert session.exit_code == 1
    session.result.stdout.fnmatch_lines([f"*ParetoError: *{message}*"])


def test_work_only_is_a_truth_value(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester)
    path = pytester.path / "test_it.py"
    path.write_text(path.read_text().replace("work_only=True", "work_only='flops'"))
    session = run()
    assert session.exit_code == 1
    session.result.stdout.fnmatch_lines(["*pareto(work_only=...) takes True or False, not 'flops'"])
