"""``pytest-pareto compare``: exit codes, the report, and sides that cannot be compared."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto import cli
from pytest_pareto.baseline.candidate import plan_candidate, write_candidate
from pytest_pareto.baseline.store import write
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import Asked, SessionRecord, SessionReport
from pytest_pareto.pipeline import accepted, facts_against, judge_record
from pytest_pareto.results.writer import render_json
from tests.sessions import HERE, case_runs, five, session

OTHER = replace(HERE, gpu_product="NVIDIA A100")
SCORES = [[0.5 + i % 5 / 100 for i in range(40)]] * 5


def record(level: float = 1.0, samples: int = 40, **about: object) -> SessionRecord:
    scores = [row[:samples] for row in SCORES]
    case = case_runs("m.py::a", {"device": five(level), "score": scores}, **about)
    return SessionRecord(tuple(session(case)), Policy())


def on(environment: object, found: SessionRecord) -> SessionRecord:
    runs = tuple(replace(run, environment=environment) for run in found.runs)  # type: ignore[arg-type]  # an Environment
    return replace(found, runs=runs)


def text_of(found: SessionRecord) -> str:
    empty = Baseline(HERE.hardware_key, {}, {})
    facts = facts_against(found, empty, "nowhere")
    judgement = judge_record(found, Past(empty)).judgement
    return render_json(SessionReport(judgement, facts, HERE, record=found))


def store(folder: Path, *found: SessionRecord) -> Path:
    for each in found:
        after = accepted(each)
        empty = Baseline(after.hardware_key, {}, {})
        write(folder, after.hardware_key, empty, after)
    return folder


Compare = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Compare:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "a.json").write_text(text_of(record()))
    (tmp_path / "b.json").write_text(text_of(record(1.1)))

    def compare(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["compare", *arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return compare


def test_the_exit_code_is_1_where_something_regressed(run_compare: Compare) -> None:
    assert run_compare("a.json", "b.json")[0] == 1
    assert run_compare("a.json", "a.json")[0] == 0
    assert run_compare("b.json", "a.json")[0] == 0


def test_the_report_names_both_sides_and_the_settings(run_compare: Compare) -> None:
    _, out, err = run_compare("a.json", "b.json")
    assert "against a.json (1 session, 5 runs)" in out
    assert "b.json: 5 runs" in out
    assert "judged with: alpha 0.05, trade-offs bounded" in out
    assert "pytest --pareto" not in out.replace("--pareto-update", "")  # nothing can be accepted
    assert "\x1b" not in out
    assert not err
    assert all(len(line) <= 80 for line in out.splitlines())
    assert len(run_compare("a.json", "b.json", "-q")[1].splitlines()) == 1
    assert len(run_compare("a.json", "a.json", "-v")[1]) > len(run_compare("a.json", "a.json")[1])


def no_file(folder: Path) -> None:
    """Write nothing."""


def no_json(folder: Path) -> None:
    (folder / "x").write_text("not JSON")


def other_json(folder: Path) -> None:
    (folder / "x").write_text('{"cases": {}}')


def newer(folder: Path) -> None:
    text = (folder / "a.json").read_text()
    (folder / "x").write_text(text.replace('"version": 1,', '"version": 2,', 1))


def empty_folder(folder: Path) -> None:
    (folder / "x").mkdir()


def baseline_of_nothing(folder: Path) -> None:
    (folder / "x" / "_env").mkdir(parents=True)


def corrupt_baseline(folder: Path) -> None:
    (store(folder / "x", record()) / HERE.hardware_key / "m.json").write_text("{")


def all_broken(folder: Path) -> None:
    found = record()
    runs = tuple(replace(run, failed={"m.py::a": "died"}) for run in found.runs)
    (folder / "x").write_text(text_of(replace(found, runs=runs)))


def too_large(folder: Path) -> None:
    text = (folder / "a.json").read_text()
    content = json.loads(text)
    for metric in content["evidence"]["runs"]["cases"][0]["metrics"]:
        if "levels" in metric:
            metric["levels"] = [2e300] * len(metric["levels"])
    (folder / "x").write_text(json.dumps(content))


def on_other_hardware(folder: Path) -> None:
    (folder / "x").write_text(text_of(on(OTHER, record())))


def on_two_machines(folder: Path) -> None:
    found = record()
    mixed = (*found.runs[:3], *on(OTHER, found).runs[3:])
    (folder / "x").write_text(text_of(replace(found, runs=mixed)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_file, r"'x' is no folder, no file and no git ref: .* not inside a git repository"),
        (no_json, r"x: not valid JSON"),
        (other_json, r"x: no results of pytest-pareto: expected \"format\""),
        (newer, r"x at version: 2 was written by a newer pytest-pareto; upgrade"),
        (empty_folder, r"x is no baseline: it has no folder _env"),
        (baseline_of_nothing, r"x holds no results: record some"),
        (corrupt_baseline, r"x/nvidia-h200x1/m.json: not valid JSON"),
        (all_broken, r"x holds no complete case"),
        (too_large, r"x: .*expected a number up to 1e\+150, got 2e\+300"),
        (on_other_hardware, r"x is of nvidia-a100x1, and a.json of nvidia-h200x1"),
        (on_two_machines, r"x holds runs of several kinds of machine \(nvidia-a100x1, nvidia-h200"),
    ],
)
def test_unusable_sides_are_refused_with_the_reason(
    run_compare: Compare, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path)
    code, out, err = run_compare("x", "a.json")
    assert code == 2
    assert not out
    assert re.match(f"pytest-pareto compare: .*{message}", err), err


def test_samples_of_other_ids_are_not_compared(run_compare: Compare, tmp_path: Path) -> None:
    (tmp_path / "fewer.json").write_text(text_of(record(samples=30)))
    code, out, err = run_compare("a.json", "fewer.json")
    assert code == 2
    assert "10 ids of the baseline are gone" in " ".join(out.split())
    assert "nothing is known to have regressed, but 1 case could not be judged" in err
    # A regression takes precedence.
    (tmp_path / "slower.json").write_text(text_of(record(1.1, samples=40)))
    assert run_compare("a.json", "slower.json")[0] == 1


def test_one_of_several_machines_must_be_named(run_compare: Compare, tmp_path: Path) -> None:
    both = [store(tmp_path / name, record(), on(OTHER, record())).name for name in ("p", "q")]
    code, _, err = run_compare(*both)
    assert code == 2
    assert "choose one with --hardware KEY: nvidia-a100x1, nvidia-h200x1" in err
    assert run_compare(*both, "--hardware", "nvidia-a100x1")[0] == 0
    assert run_compare("p", "b.json")[0] == 1  # a file is of one machine
    code, _, err = run_compare(*both, "--hardware=none")
    assert code == 2
    assert "have no hardware 'none' in common" in err


def test_a_candidates_folder_is_a_side(run_compare: Compare, tmp_path: Path) -> None:
    """The one that `accept` takes, and a session leaves its candidate in a folder below."""
    store(tmp_path / "old", record())
    past = accepted(record())
    worse = judge_record(record(1.2), Past(past))
    write_candidate(tmp_path / "new" / "session", plan_candidate(past, worse))
    code, out, _ = run_compare("old", "new")
    assert (code, "m.py::a" in out) == (1, True)
    assert run_compare("old", "new/session")[0] == code


def test_git_refs_as_sides(run_compare: Compare, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        command = ["git", "-c", "user.email=n@example.org", "-c", "user.name=n", *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "Nothing")
    store(tmp_path / "base", record())
    git("add", "base")
    git("commit", "--quiet", "--message", "A baseline")
    assert run_compare("HEAD:base", "b.json")[0] == 1
    (tmp_path / "sub").mkdir()
    for ref, message in (
        ("HEAD~1:base", r"has no folder base"),
        ("HEAD:a.json", r"has no folder a.json"),
        ("nowhere:base", r"no commit 'nowhere' in the repository"),
        ("HEAD:", r"has no folder ./pareto_baselines"),
    ):
        code, _, err = run_compare(ref, "b.json")
        assert code == 2
        assert re.search(message, err), err
    main = tmp_path / "base" / HERE.hardware_key / "m.json"
    main.write_text("{")
    git("commit", "--quiet", "--all", "--message", "Broken")
    code, _, err = run_compare("HEAD:base", "b.json")
    assert code == 2
    assert f"HEAD:base/{HERE.hardware_key}/m.json: not valid JSON" in err
    assert run_compare("HEAD~1:base", "b.json")[0] == 1


@pytest.mark.parametrize("arguments", [["a.json", "b.json", "tests"], ["a.json", "b.json", "-x"]])
def test_other_arguments_are_refused(run_compare: Compare, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_compare(*arguments)
    assert caught.value.code == 2


def test_the_results_can_be_written(run_compare: Compare, tmp_path: Path) -> None:
    assert run_compare("a.json", "b.json", "--json", "out.json")[0] == 1
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["session"]["new_side"] == "b.json"
    assert found["gate"]["failed"] is True
    assert run_compare("a.json", "out.json")[0] == 1
    code, _, err = run_compare("a.json", "b.json", "--json", "no/where.json")
    assert code == 2
    assert "--json: no/where.json cannot be written" in err


def test_an_anchors_share_of_alpha_stays_spent(run_compare: Compare, tmp_path: Path) -> None:
    anchored = replace(record(1.1), anchored=True)
    (tmp_path / "anchored.json").write_text(text_of(anchored))
    assert run_compare("a.json", "anchored.json", "--json", "out.json")[0] == 1
    shares = json.loads((tmp_path / "out.json").read_text())["gate"]["shares"]
    assert shares["anchor"] == 0.1
    assert "compared with an anchor too" in " ".join(
        run_compare("a.json", "anchored.json")[1].split()
    )


def test_a_session_that_was_cut_short_does_not_pass(run_compare: Compare, tmp_path: Path) -> None:
    asked = Asked(partial="interrupted", stopped="interrupted")
    (tmp_path / "cut.json").write_text(text_of(replace(record(), asked=asked)))
    code, out, err = run_compare("a.json", "cut.json")
    assert (code, out[:4]) == (2, "PART")
    assert "the session was cut short (interrupted)" in err
    code, out, _ = run_compare("cut.json", "a.json")
    assert code == 0
    assert "cut.json was cut short (interrupted)" in " ".join(out.split())


def test_failures_on_the_old_side_are_reported(run_compare: Compare, tmp_path: Path) -> None:
    runs = tuple(replace(run, failed={"m.py::b": "it raised"}) for run in record().runs)
    (tmp_path / "red.json").write_text(text_of(replace(record(), runs=runs)))
    assert "in red.json m.py::b failed" in " ".join(run_compare("red.json", "a.json")[1].split())


def test_unconfirmed_changes_are_marked(run_compare: Compare, tmp_path: Path) -> None:
    """Also where the session confirms flagged metrics, and flagged none against its baseline."""
    (tmp_path / "sure.json").write_text(text_of(replace(record(1.1), policy=Policy(confirming=5))))
    code, out, _ = run_compare("a.json", "sure.json")
    assert code == 1
    assert "unconfirmed" in out


def while_busy(found: SessionRecord) -> SessionRecord:
    """The record of processes that waited for a core for most of their time."""
    runs = tuple(
        replace(
            run,
            cases={
                name: replace(
                    case,
                    measurements=tuple(
                        replace(m, waited=None if m.ids else 0.8) for m in case.measurements
                    ),
                )
                for name, case in run.cases.items()
            },
        )
        for run in found.runs
    )
    return replace(found, runs=runs)


def test_what_a_busy_host_measured_is_compared_with_nothing(
    run_compare: Compare, tmp_path: Path
) -> None:
    (tmp_path / "busy.json").write_text(text_of(while_busy(record(9.0))))
    code, out, _ = run_compare("a.json", "busy.json")
    assert code == 0
    assert "device: the host was busy" in " ".join(out.split())
    code, out, _ = run_compare("busy.json", "a.json")
    assert code == 0
    assert "busy.json has device of a busy host: what it lacks of that is new here" in " ".join(
        out.split()
    )


def test_a_side_that_has_nothing_but_a_busy_host(run_compare: Compare, tmp_path: Path) -> None:
    case = case_runs("m.py::a", {"device": five(9.0)})
    busy = while_busy(SessionRecord(tuple(session(case)), Policy()))
    (tmp_path / "busy.json").write_text(text_of(busy))
    code, _, err = run_compare("busy.json", "a.json")
    assert code == 2
    assert "busy.json has device of a busy host" in " ".join(err.split())


def consisting_of(found: SessionRecord, *parts: Part) -> SessionRecord:
    """Return the record with the parts of its first metric."""
    runs = []
    for run in found.runs:
        (case,) = run.cases.values()
        first, *others = case.measurements
        measured = (replace(first, breakdown=Breakdown(parts)), *others)
        runs.append(replace(run, cases={case.case_id: replace(case, measurements=measured)}))
    return replace(found, runs=tuple(runs))


def test_the_parts_that_moved_are_known_from_a_file(run_compare: Compare, tmp_path: Path) -> None:
    """Of a session that had the old code beside the new."""
    old = consisting_of(record(), Part("aten::mm in Net.fc", 0.9, 1))
    new = consisting_of(record(1.1), Part("aten::mm in Net.fc", 1.0, 2))
    turns = replace(new, old_runs=old.runs)
    (tmp_path / "turns.json").write_text(text_of(turns))
    code, out, _ = run_compare("turns.json")
    assert code == 1
    assert "      why: +100 ms  aten::mm in Net.fc: 900 → 1000 ms, 1 → 2 times\n" in out
    (tmp_path / "turns.json").write_text(text_of(replace(turns, old_runs=record().runs)))
    assert "why:" not in run_compare("turns.json")[1]


def test_the_parts_that_moved_are_known_from_two_sides(
    run_compare: Compare, tmp_path: Path
) -> None:
    """Of a baseline's folder, which keeps the parts in a file of its own, and of a results file."""
    old = consisting_of(record(), Part("aten::mm in Net.fc", 0.9, 1))
    new = consisting_of(record(1.1), Part("aten::mm in Net.fc", 1.0, 2))
    (tmp_path / "old.json").write_text(text_of(old))
    (tmp_path / "new.json").write_text(text_of(new))
    folder = store(tmp_path / "base", old).name
    why = "      why: +100 ms  aten::mm in Net.fc: 900 → 1000 ms, 1 → 2 times\n"
    for side in ("old.json", folder):
        code, out, _ = run_compare(side, "new.json")
        assert (code, why in out) == (1, True), side
        assert "why:" not in run_compare(side, "old.json", "-v")[1]
    assert why in run_compare("old.json", store(tmp_path / "later", new).name)[1]
    # One side is not enough.
    for side in ("a.json", store(tmp_path / "blind", record()).name):
        code, out, _ = run_compare(side, "new.json")
        assert (code, "why:" in out) == (1, False), side
    code, out, _ = run_compare("old.json", "new.json", "--json", "out.json")
    content = json.loads((tmp_path / "out.json").read_text())
    attributed = {m["metric"]: m["attribution"] for m in content["metrics"] if m["attribution"]}
    assert attributed.keys() == {"device"}
    assert attributed["device"]["total"] == pytest.approx(0.1)
