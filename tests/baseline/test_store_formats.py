"""Files of the committed format: read as they are, and rewritten with their history."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.baseline import codec, store
from pytest_pareto.baseline.layout import samples_file
from pytest_pareto.baseline.updates import KEPT_SESSIONS, UpdateMode, plan_update
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.errors import NewerSchemaError
from pytest_pareto.model.metric import Kind
from pytest_pareto.pipeline import judge_record
from pytest_pareto.results.reader import load_record

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
COMMITTED = [
    (ROOT / "example_project" / "pareto_baselines", DATA / "example" / "unchanged.json"),
    (DATA / "older" / "pareto_baselines", DATA / "older" / "unchanged.json"),
    (DATA / "h200_session" / "pareto_baselines", DATA / "h200_session" / "planted.json"),
]
"""Committed baselines, of today and of before rules were stored, each with a later session."""

committed = pytest.mark.parametrize(
    ("folder", "results"), COMMITTED, ids=["example", "older", "h200"]
)


@committed
def test_what_is_committed_is_written_again_to_the_byte(folder: Path, results: Path) -> None:
    environments = store.read_environments(folder)
    for machine in store.hardware_folders(folder):
        for main in store.main_files(machine):
            cases = store.read_module(machine, main, environments).values()
            samples = Path(samples_file(str(main)))
            assert codec.encode_module(cases) == main.read_text()
            assert codec.encode_samples(cases) == (
                samples.read_text() if samples.exists() else None
            )
    for name, environment in environments.items():
        assert codec.encode_environment(environment) == (folder / f"_env/{name}.json").read_text()


@committed
def test_an_update_keeps_the_history_of_what_is_committed(
    tmp_path: Path, folder: Path, results: Path
) -> None:
    directory = shutil.copytree(folder, tmp_path / "baseline")
    content, record = load_record(results)
    before = store.load(directory, content.session.hardware_key)
    judged = judge_record(
        replace(record, policy=replace(record.policy, accepts_changes=True, accepts_all=True)),
        Past(before),
    )
    after, edits = plan_update(before, judged, UpdateMode.ALL, prune=frozenset())
    assert edits
    assert store.write(directory, before.hardware_key, before, after)
    now = store.load(directory, before.hardware_key)
    grown = 0
    for case_id, case in before.cases.items():
        for name, history in case.metrics.items():
            if history.kind is not Kind.RUN:  # of others the newest session alone is kept
                continue
            sessions = now.cases[case_id].metrics[name].sessions
            added = sessions not in (history.sessions, history.sessions[-KEPT_SESSIONS:])
            kept = history.sessions[-(KEPT_SESSIONS - 1) :] if added else history.sessions
            assert [s.runs for s in sessions[: len(kept)]] == [s.runs for s in kept]
            grown += added
    assert grown > 0


@committed
def test_a_newer_format_is_refused_with_the_way_out(
    tmp_path: Path, folder: Path, results: Path
) -> None:
    directory = shutil.copytree(folder, tmp_path / "baseline")
    main = next(
        main for each in store.hardware_folders(directory) for main in store.main_files(each)
    )
    main.write_text(json.dumps(json.loads(main.read_text()) | {"schema": 2}))
    with pytest.raises(NewerSchemaError) as error:
        store.load(directory, load_record(results)[0].session.hardware_key)
    assert str(error.value) == (
        f"{main.as_posix()}: schema 2 was written by a newer pytest-pareto; upgrade pytest-pareto "
        "to read it (this version knows schemas up to 1)."
    )
