"""``pytest-pareto rename``: histories under other names, of every machine, all or none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto import cli
from pytest_pareto.baseline import files, store
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.cli.rename import renaming
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Better, Kind, Rule, Scope

CPU = Environment("AMD EPYC 9554", 16, 16, None, 0, None, (), (), {"python": "3.12.4"})
KEYS = ("cpu-a", "cpu-b")
ENV = environment_key(CPU)
LATENCY = MetricHistory(
    "s", Better.LOWER, Kind.RUN, Scope.HOST, (Session(ENV, 0, (0.1, 0.2), reason="agreed"),)
)
SCORE = MetricHistory(
    "", Better.HIGHER, Kind.PAIRED, Scope.GPU, (Session(ENV, 0, (0.5,)),),
    Samples(("a", "b"), (0.25, 0.75)),
)  # fmt: skip
FLOPS = MetricHistory("count", Better.LOWER, Kind.EXACT, Scope.ANYWHERE, (Session(ENV, 0, (9.0,)),))


def case(case_id: str) -> CaseHistory:
    metrics = {"acc": SCORE, "flops": FLOPS, "latency": LATENCY}
    return CaseHistory(case_id, case_id.partition("[")[0], "1f", metrics)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose baseline has the same cases of two machines."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text("")
    directory = tmp_path / "pareto_baselines"
    ids = ("test_a.py::test_x[1]", "test_a.py::test_x[2]", "test_a.py::test_xy")
    for key in KEYS:
        empty = store.load(directory, key)
        store.write(
            directory,
            key,
            empty,
            replace(empty, cases={i: case(i) for i in ids}, environments={ENV: CPU}),
        )
    return directory


def cases(folder: Path, key: str) -> Mapping[str, CaseHistory]:
    found: Baseline = store.load(folder, key)
    return found.cases


def texts(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*.json")}


def test_a_test_keeps_its_history_on_every_machine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["rename", "test_a.py::test_x", "test_a.py::test_z"]) == 0
    for key in KEYS:
        after = cases(folder, key)
        assert sorted(after) == [
            "test_a.py::test_xy", "test_a.py::test_z[1]", "test_a.py::test_z[2]",
        ]  # fmt: skip
        assert after["test_a.py::test_z[1]"].metrics == case("x").metrics
        assert after["test_a.py::test_z[1]"].front == "test_a.py::test_z"
    told = " ".join(capsys.readouterr().out.split())
    assert "test_a.py::test_x → test_a.py::test_z test_a.py::test_x[1] test_a.py::test_x[2]" in told


def test_a_file_moves_with_its_tests(folder: Path) -> None:
    assert cli.main(["rename", "test_a.py", "sub/test_b.py"]) == 0
    assert set(cases(folder, "cpu-b")) == {
        "sub/test_b.py::test_x[1]", "sub/test_b.py::test_x[2]", "sub/test_b.py::test_xy",
    }  # fmt: skip
    assert not list(folder.rglob("test_a*.json"))


def test_a_metric_of_a_test(folder: Path) -> None:
    assert cli.main(["rename", "acc", "accuracy", "--of", "test_a.py::test_x"]) == 0
    after = cases(folder, "cpu-a")
    assert after["test_a.py::test_x[2]"].metrics["accuracy"] == SCORE
    assert "acc" not in after["test_a.py::test_x[2]"].metrics
    assert "acc" in after["test_a.py::test_xy"].metrics


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["test_a.py::test_q", "test_a.py::test_z"], "holds no case 'test_a.py::test_q'; close to"),
        (
            ["test_a.py::test_x[1]", "test_a.py::test_x[2]"],
            "of test_a.py::test_x[2] already",
        ),
        (["acc", "flops", "--of", "test_a.py::test_xy"], "has 'flops' of test_a.py::test_xy alr"),
        (["acc", "latency", "--of", "test_a.py::test_xy"], "has 'latency' of test_a.py::test_xy"),
        (["ac", "quality", "--of", "test_a.py::test_xy"], "no metric 'ac' of test_a.py::test_xy"),
        (["a", "b", "--baseline", "nowhere"], "there is no baseline at nowhere"),
    ],
)
def test_what_cannot_be_renamed_is_refused_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    before = texts(folder)
    assert cli.main(["rename", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert texts(folder) == before


def test_all_machines_are_one_transaction(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One journal for all files: after a crash all of them have the new names, or none has."""
    calls: list[int] = []

    def counted(directory: Path, pending: Mapping[Path, str | None]) -> None:
        calls.append(len(pending))
        files.commit(directory, pending)

    monkeypatch.setattr(store, "commit", counted)
    assert cli.main(["rename", "test_a.py", "test_b.py"]) == 0
    assert len(calls) == 1
    # Of each machine the old and the new file with its samples, and those for any machine.
    assert calls[0] == 2 * (2 * 2) + 2


def test_what_was_edited_by_hand_still_shows_it_and_nothing_else_does(tmp_path: Path) -> None:
    directory = tmp_path / "pareto_baselines"
    empty = store.load(directory, "cpu-a")
    ruled = {
        name: replace(m, rule=Rule(0.05)) for name, m in case("test_a.py::test_x").metrics.items()
    }
    history = replace(case("test_a.py::test_x"), metrics=ruled)
    after = replace(empty, cases={history.case_id: history}, environments={ENV: CPU})
    store.write(directory, "cpu-a", empty, after)
    file = directory / "any" / "test_a.json"  # where counts of FLOPs are
    file.write_text(file.read_text().replace("[9]", "[8]"))
    new_entry = renaming("test_a.py::test_x", "test_a.py::test_y", None)
    assert store.rename(directory, new_entry) == ["test_a.py::test_x"]
    [renamed] = store.load(directory, "cpu-a").cases.values()
    assert renamed.case_id == "test_a.py::test_y"
    edited = {name for name, metric in renamed.metrics.items() if metric.edited}
    assert edited == {"flops"}
