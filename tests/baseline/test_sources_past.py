"""Baselines of many commits: equal to what the store reads, each file decoded once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.baseline.sources import PastBaselines, machines_of
from pytest_pareto.baseline.store import load, write
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError, ParetoError

KEY = "nvidia-h200x1"


class ContentStore:
    """The files of a folder, named by their content; counts the requests."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.rglob("*.json"))
        self.files = {p.relative_to(folder).as_posix(): p.read_bytes().hex() for p in paths}
        self.asked: list[str] = []

    def content_of(self, name: str) -> bytes:
        self.asked.append(name)
        return bytes.fromhex(name)

    def load(self, key: str = KEY) -> Baseline:
        return PastBaselines(key, self.content_of).load(self.files)

    def change(self, path: str, old: str, new: str) -> None:
        text = bytes.fromhex(self.files[path]).decode()
        assert old in text
        self.files[path] = text.replace(old, new).encode().hex()


@pytest.fixture
def folder(
    tmp_path: Path,
    case: Callable[..., CaseHistory],
    history: Callable[..., MetricHistory],
    baseline: Callable[..., Baseline],
) -> Path:
    accuracy, flops = history("accuracy", (0.9,)), history("flops", (12.0,))
    cases = (
        case(
            "deep/test_a.py::t[1]",
            latency=history("latency", (1.0, 1.1), breakdown=Breakdown((Part("aten::mm", 0.5),))),
            flops=flops,
        ),
        case("test_a.v2.py::t", accuracy=accuracy),
    )
    write(tmp_path, KEY, Baseline(KEY, {}, {}), baseline(*cases))
    return tmp_path


def test_it_equals_the_store_without_the_scores_and_breakdowns(folder: Path) -> None:
    there = load(folder, KEY)
    expected = {
        case_id: replace(
            case,
            metrics={
                name: replace(h, samples=None, breakdown=None) for name, h in case.metrics.items()
            },
        )
        for case_id, case in there.cases.items()
    }
    assert expected != there.cases
    found = ContentStore(folder).load()
    assert found.cases == expected
    assert found.environments == there.environments


def test_another_machine_is_not_read(folder: Path) -> None:
    kept = ContentStore(folder)
    kept.change(f"{KEY}/deep/test_a.json", "{", "<")
    assert set(kept.load("cpu-other").cases) == {
        "deep/test_a.py::t[1]"
    }  # the results of every machine
    with pytest.raises(BaselineError, match="not valid JSON"):
        kept.load()


@pytest.mark.parametrize("suffix", [".samples.json", ".profile.json"])
def test_files_beside_the_main_ones_are_not_read(folder: Path, suffix: str) -> None:
    kept = ContentStore(folder)
    kept.load()
    (beside,) = (name for path, name in kept.files.items() if path.endswith(suffix))
    assert beside not in kept.asked


def test_unchanged_files_are_decoded_once(folder: Path) -> None:
    kept = ContentStore(folder)
    past = PastBaselines(KEY, kept.content_of)
    first = past.load(kept.files)
    asked = len(kept.asked)
    assert past.load(kept.files) == first
    assert len(kept.asked) == asked
    kept.change(f"{KEY}/deep/test_a.json", "1.1", "1.2")
    assert past.load(kept.files) != first
    assert len(kept.asked) == asked + 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema": 1', '"schema": 2', "schema 2 was written by a newer pytest-pareto"),
        ('"env": "', '"env": "x', r"expected an environment of _env/, got 'x"),
        ('"scope": "host"', '"scope": "anywhere"', "does not belong into"),
        ("1.1", "NaN", "expected a finite number"),
    ],
)
def test_unusable_files(folder: Path, old: str, new: str, message: str) -> None:
    kept = ContentStore(folder)
    kept.change(f"{KEY}/deep/test_a.json", old, new)
    with pytest.raises(BaselineError, match=message) as raised:
        kept.load()
    assert str(raised.value).startswith(f"{KEY}/deep/test_a.json")


def test_a_removed_environment_is_an_error_although_cached(folder: Path) -> None:
    kept = ContentStore(folder)
    past = PastBaselines(KEY, kept.content_of)
    past.load(kept.files)
    left = {path: name for path, name in kept.files.items() if not path.startswith("_env/")}
    with pytest.raises(BaselineError, match="expected an environment"):
        past.load(left)


def test_machines_of_files(folder: Path) -> None:
    files = [*ContentStore(folder).files, "cpu-x2/test_b.json", ".hidden/a.json", "README.md"]
    assert machines_of(files) == {KEY, "cpu-x2"}


def test_a_key_that_is_not_a_folder_name() -> None:
    with pytest.raises(ParetoError, match="cannot name a hardware folder"):
        PastBaselines("../elsewhere", bytes.fromhex)
