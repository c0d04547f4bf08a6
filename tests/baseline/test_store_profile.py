"""What levels consist of, in a whole baseline directory: beside each module, and only there."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.baseline import store
from pytest_pareto.baseline.layout import profile_file
from pytest_pareto.baseline.sources import load_anchor
from pytest_pareto.cli.rename import renaming
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError

HERE = "nvidia-h200x1"
EMPTY = Baseline(HERE, {}, {})
X, Y, Z = "t/test_a.py::test_x[::]", "t/test_a.py::test_y", "test_b.py::test_z"
MATMUL = Breakdown((Part("aten::mm in Net.fc1", 0.25, 2.0),), rest=0.125, folded=3)
LAYERS = Breakdown((Part("Net.fc1", 9e11), Part("Net.fc2", 1e11)))


@pytest.fixture
def full(
    case: Callable[..., CaseHistory],
    history: Callable[..., MetricHistory],
    baseline: Callable[..., Baseline],
) -> Baseline:
    """Return two modules; one case has breakdowns here and of every machine, one has none."""
    return baseline(
        case(
            X,
            accuracy=history("accuracy", (0.5,), breakdown=MATMUL),
            flops=history("flops", (1e12,), breakdown=LAYERS),
            latency=history("latency", (0.4, 0.41), breakdown=MATMUL),
        ),
        case(Y, latency=history("latency", (0.1,), breakdown=MATMUL)),
        case(Z, energy=history("energy", (3.0,))),
    )


@pytest.fixture
def written(tmp_path: Path, full: Baseline) -> Path:
    store.write(tmp_path, HERE, EMPTY, full)
    return tmp_path


def _texts(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in files}


def _touched(directory: Path, before: Baseline, after: Baseline) -> list[str]:
    paths = store.write(directory, HERE, before, after)
    return [path.relative_to(directory).as_posix() for path in paths]


def _with(baseline: Baseline, case_id: str, **breakdowns: Breakdown | None) -> Baseline:
    """Return a baseline with other breakdowns of one case."""
    case = baseline.cases[case_id]
    changed = {name: replace(case.metrics[name], breakdown=b) for name, b in breakdowns.items()}
    case = replace(case, metrics={**case.metrics, **changed})
    return replace(baseline, cases={**baseline.cases, case_id: case})


def _without(baseline: Baseline, *case_ids: str) -> Baseline:
    cases = {c: h for c, h in baseline.cases.items() if c not in case_ids}
    return replace(baseline, cases=cases)


def _breakdowns(baseline: Baseline) -> dict[tuple[str, str], Breakdown | None]:
    return {
        (c, m): h.breakdown for c, case in baseline.cases.items() for m, h in case.metrics.items()
    }


def test_written_breakdowns_can_be_read(tmp_path: Path, full: Baseline) -> None:
    (env,) = full.environments
    assert _touched(tmp_path, EMPTY, full) == [
        f"_env/{env}.json",
        "any/t/test_a.json",
        "any/t/test_a.profile.json",
        f"{HERE}/t/test_a.json",
        f"{HERE}/t/test_a.profile.json",
        f"{HERE}/t/test_a.samples.json",
        f"{HERE}/test_b.json",
    ]
    assert store.load(tmp_path, HERE) == full
    assert load_anchor(tmp_path, HERE) == full
    # Another machine has those of every machine, and no case is found in a profile.
    other = store.load(tmp_path, "cpu-xx8")
    assert _breakdowns(other) == {(X, "flops"): LAYERS}
    assert store.main_files(tmp_path / HERE) == [
        tmp_path / HERE / "t/test_a.json",
        tmp_path / HERE / "test_b.json",
    ]


def test_only_a_profile_that_changed_is_written(written: Path, full: Baseline) -> None:
    assert _touched(written, full, full) == []
    after = _with(full, Y, latency=LAYERS)
    assert _touched(written, full, after) == [f"{HERE}/t/test_a.profile.json"]
    assert store.load(written, HERE) == after
    # And not where only something else did.
    y = after.cases[Y]
    other = replace(after, cases={**after.cases, Y: replace(y, source="other")})
    assert _touched(written, after, other) == [f"{HERE}/t/test_a.json"]
    assert store.load(written, HERE) == other


def test_what_is_dropped_leaves_the_profile(written: Path, full: Baseline) -> None:
    x = full.cases[X]
    flops = replace(x, metrics={"flops": x.metrics["flops"]})
    after = replace(full, cases={**full.cases, X: flops})
    assert _touched(written, full, after) == [
        f"{HERE}/t/test_a.json",
        f"{HERE}/t/test_a.profile.json",
        f"{HERE}/t/test_a.samples.json",
    ]
    profile = written / HERE / "t/test_a.profile.json"
    assert "test_x" not in profile.read_text()
    assert "test_y" in profile.read_text()
    assert store.load(written, HERE) == after
    last = _with(after, Y, latency=None)
    assert _touched(written, after, last) == [f"{HERE}/t/test_a.profile.json"]
    assert not profile.exists()
    assert store.load(written, HERE) == last


def test_dropping_the_last_case_leaves_nothing(written: Path, full: Baseline) -> None:
    store.write(written, HERE, full, _without(full, *full.cases))
    assert list(written.iterdir()) == []


def test_a_baseline_without_profiles_is_read_and_gets_them(written: Path, full: Baseline) -> None:
    """As an older version left it."""
    for file in written.rglob("*.profile.json"):
        file.unlink()
    before = store.load(written, HERE)
    assert set(_breakdowns(before).values()) == {None}
    assert before == _with(_with(full, X, accuracy=None, flops=None, latency=None), Y, latency=None)
    after = _with(before, Y, latency=MATMUL)
    assert _touched(written, before, after) == [f"{HERE}/t/test_a.profile.json"]
    assert store.load(written, HERE) == after


def test_a_corrupt_profile_is_an_error_with_its_name(written: Path) -> None:
    (written / HERE / "t/test_a.profile.json").write_text("<<<<<<< HEAD\n")
    with pytest.raises(BaselineError, match=r"t/test_a\.profile\.json: unresolved merge conflict"):
        store.load(written, HERE)


def test_a_breakdown_that_could_not_be_read_is_not_written(written: Path, full: Baseline) -> None:
    old = _texts(written)
    bad = _with(full, Y, latency=Breakdown((Part("a", 1e151),)))
    with pytest.raises(BaselineError, match=r'refused to write .*\["latency"\]\[0\]\[0\]\[2\]: '):
        store.write(written, HERE, full, bad)
    assert _texts(written) == old


def test_a_renamed_case_or_metric_keeps_it(written: Path, full: Baseline) -> None:
    assert store.rename(written, renaming("t/test_a.py", "t/test_c.py", None)) == [X, Y]
    assert [path for path in _texts(written) if "test_a" in path] == []
    found = _breakdowns(store.load(written, HERE))
    assert found == {
        (case_id.replace("test_a", "test_c"), name): breakdown
        for (case_id, name), breakdown in _breakdowns(full).items()
    }
    y = "t/test_c.py::test_y"
    assert store.rename(written, renaming("latency", "duration", y)) == [y]
    case = store.load(written, HERE).cases[y]
    assert {name: history.breakdown for name, history in case.metrics.items()} == {
        "duration": MATMUL
    }


def test_one_that_another_process_changed_is_not_overwritten(written: Path, full: Baseline) -> None:
    store.write(written, HERE, full, _with(full, Y, latency=LAYERS))
    old = _texts(written)
    mine = replace(full, cases={**full.cases, Y: replace(full.cases[Y], source="mine")})
    with pytest.raises(BaselineError, match="was changed by another process"):
        store.write(written, HERE, full, mine)
    assert _texts(written) == old
    # That of another case of the file stays as the directory has it.
    x = replace(full.cases[X], source="mine")
    store.write(written, HERE, full, replace(full, cases={**full.cases, X: x}))
    assert store.load(written, HERE).cases[Y].metrics["latency"].breakdown == LAYERS


def test_profiles_are_written_before_and_removed_after_main_files(
    tmp_path: Path, full: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    replaces, unlinks = os.replace, os.unlink

    def recorded_replace(source: str, target: str) -> None:
        steps.append(Path(target).relative_to(tmp_path).as_posix())
        replaces(source, target)

    def recorded_unlink(path: Path | str, **about: int) -> None:
        if isinstance(path, Path) and path.parent.name in ("t", HERE):
            steps.append(path.relative_to(tmp_path).as_posix())
        unlinks(path, **about)

    monkeypatch.setattr(os, "replace", recorded_replace)
    monkeypatch.setattr(os, "unlink", recorded_unlink)
    for folder in ("any", HERE):
        main = f"{folder}/t/test_a.json"
        steps.clear()
        store.write(tmp_path, HERE, EMPTY, full)
        assert steps.index(profile_file(main)) < steps.index(main)
        assert steps[0].startswith("_env/")
        steps.clear()
        store.write(tmp_path, HERE, full, _without(full, *full.cases))
        assert steps.index(main) < steps.index(profile_file(main))
