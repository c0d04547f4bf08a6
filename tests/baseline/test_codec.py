"""Encoding and decoding: nothing is lost but insignificant digits, and git can merge the text."""

import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pareto.baseline import codec
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.model.baseline import CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.metric import Better, Kind, Rule, Scope
from pytest_pareto.stats.scale import LARGEST

Case = Callable[..., CaseHistory]
History = Callable[..., MetricHistory]

STEADY = settings(deadline=None, derandomize=True)
_ENVIRONMENTS = ("e1", "e2")
_NUMBERS = st.floats(-LARGEST, LARGEST)  # what can be compared
# Characters of real node ids, and some that would break a hand-made format.
_NAMES = st.text(max_size=12) | st.sampled_from(
    [
        "a::b[x::y]#n",
        'q"\\',
        "l\nm\r\u2028",
        "]}{[",
        "<<<<<<< HEAD",
        "\n=======\n",
        "é\U0001f600",
        "",
    ]
)


def _session(draw: st.DrawFn, epoch: int, runs: tuple[float, ...]) -> Session:
    moods = st.lists(st.floats(1e-9, 1e9), min_size=len(runs), max_size=len(runs)).map(tuple)
    reference = draw(st.just(()) | moods)
    env, lower_bound = draw(st.sampled_from(_ENVIRONMENTS)), draw(st.just("") | _NAMES)
    return Session(env, epoch, runs, reference, lower_bound=lower_bound)


@st.composite
def histories(draw: st.DrawFn) -> MetricHistory:
    kind = draw(st.sampled_from(Kind))
    epochs = sorted(draw(st.lists(st.integers(0, 40), min_size=1, max_size=3)))
    runs = st.lists(_NUMBERS, min_size=1, max_size=3).map(tuple)
    samples, newest = None, draw(runs)
    if kind.sampled:
        ids = draw(st.lists(_NAMES, min_size=1, max_size=4, unique=True))
        samples = Samples(tuple(ids), tuple(draw(_NUMBERS) for _ in ids))
        if kind is not Kind.SET:
            newest = (math.fsum(value / len(ids) for value in samples.values),)
    return MetricHistory(
        unit=draw(_NAMES),
        better=draw(st.sampled_from(Better)),
        kind=kind,
        scope=draw(st.sampled_from(Scope)),
        sessions=(
            *(_session(draw, epoch, draw(runs)) for epoch in epochs[:-1]),
            _session(draw, epochs[-1], newest),
        ),
        samples=samples,
        rule=draw(st.none() | RULES),
    )


RULES = st.builds(
    Rule,
    st.floats(0, 1e9),
    st.booleans(),
    st.none() | st.floats(0, 1e9),
    st.sampled_from(["", ">= 0.9", "<= 250 ms", ">= 1, <= 2"]),
    st.booleans(),
)


@st.composite
def _modules(draw: st.DrawFn) -> dict[str, CaseHistory]:
    metrics = st.dictionaries(_NAMES.filter(bool), histories(), max_size=3)
    case_ids = draw(st.lists(_NAMES.map("t/test_m.py::{}".format), max_size=3, unique=True))
    return {
        case_id: CaseHistory(case_id, draw(_NAMES), draw(_NAMES), draw(metrics))
        for case_id in case_ids
    }


def decode(text: str, samples: str | None) -> dict[str, CaseHistory]:
    return codec.decode_module(
        text, samples, file="m.json", module="t/test_m.py", environments=_ENVIRONMENTS
    )


def _rounded(value: float, digits: int) -> float:
    rounded = float(f"{value:.{digits - 1}e}")
    return rounded if math.isfinite(rounded) else value


def _expected(history: MetricHistory) -> MetricHistory:
    """Round as documented, by another formula than the codec's."""
    sessions = tuple(
        replace(s, reference=tuple(_rounded(time, 7) for time in s.reference))
        for s in history.sessions
    )
    if history.kind is not Kind.EXACT:
        sessions = tuple(
            replace(s, runs=tuple(_rounded(run, 7) for run in s.runs)) for s in sessions
        )
    samples = history.samples
    if samples is not None:
        samples = replace(samples, values=tuple(_rounded(v, 4) for v in samples.values))
    return replace(history, sessions=sessions, samples=samples)


@STEADY
@given(_modules())
def test_a_module_is_unchanged_up_to_rounding(cases: dict[str, CaseHistory]) -> None:
    text, samples = codec.encode_module(cases.values()), codec.encode_samples(cases.values())
    back = decode(text, samples)
    assert back == {
        case_id: replace(case, metrics={n: _expected(h) for n, h in case.metrics.items()})
        for case_id, case in cases.items()
    }
    histories = [history for case in back.values() for history in case.metrics.values()]
    assert [history.digest != "" for history in histories] == [
        history.rule is not None for history in histories
    ]
    assert not any(history.edited for history in histories)
    assert codec.encode_module(back.values()) == text
    assert codec.encode_samples(back.values()) == samples
    assert text.isascii()
    assert text.endswith("}\n")


@STEADY
@given(_modules())
def test_the_text_does_not_depend_on_the_order_of_anything(cases: dict[str, CaseHistory]) -> None:
    turned = [
        replace(case, metrics=dict(reversed(list(case.metrics.items()))))
        for case in reversed(list(cases.values()))
    ]
    assert codec.encode_module(turned) == codec.encode_module(cases.values())
    assert codec.encode_samples(turned) == codec.encode_samples(cases.values())


def test_golden_file(case: Case, history: History) -> None:
    digits = case(
        "t/test_m.py::test_digits[4]",
        front="digits",
        source="9c21",
        latency=history(
            "latency", (0.41234567, 0.42), (0.39, 0.4012345678), epochs=(0, 1), env="e1"
        ),
        peak_memory=history("peak_memory", (8589934593.0,), env="e1"),
        accuracy=history("accuracy", (0.625,), env="e2"),
    )
    decode = case("t/test_m.py::test_digits[4]#decode", energy=history("energy", (3.0,), env="e1"))
    assert (
        codec.encode_module([decode, digits])
        == """\
{
  "cases": {
    "test_digits[4]": {
      "front": "digits",
      "metrics": {
        "accuracy":
          {"better": "higher", "kind": "paired", "scope": "gpu", "sessions": \
[{"env": "e2", "epoch": 0, "runs": [0.625]}], "unit": ""},
        "latency":
          {"better": "lower", "kind": "run", "scope": "host", "sessions": \
[{"env": "e1", "epoch": 0, "runs": [0.4123457, 0.42]}, \
{"env": "e1", "epoch": 1, "runs": [0.39, 0.4012346]}], "unit": "s"},
        "peak_memory":
          {"better": "lower", "kind": "exact", "scope": "gpu", "sessions": \
[{"env": "e1", "epoch": 0, "runs": [8589934593]}], "unit": "B"}
      },
      "source": "9c21"
    },
    "test_digits[4]#decode": {
      "front": "f",
      "metrics": {
        "energy":
          {"better": "lower", "kind": "run", "scope": "gpu", "sessions": \
[{"env": "e1", "epoch": 0, "runs": [3.0]}], "unit": "J"}
      },
      "source": "s"
    }
  },
  "schema": 1
}
"""
    )


def test_an_unknown_environment_is_reported_with_its_place(case: Case, history: History) -> None:
    one = case(
        "t/test_m.py::test_a",
        latency=replace(
            history("latency", (0.5,), env="e1"),
            sessions=(Session("e1", 0, (0.5,)), Session("e3", 0, (0.5,))),
        ),
    )
    with pytest.raises(BaselineError) as caught:
        decode(codec.encode_module([one]), None)
    assert str(caught.value).startswith(
        'm.json at cases["test_a"].metrics["latency"].sessions[1].env: expected an environment of '
        "_env/, got 'e3'. Restore it from git"
    )


def test_samples_and_main_file_must_agree(case: Case, history: History) -> None:
    one = case("t/test_m.py::test_a", accuracy=history("accuracy", (0.5,), env="e1"))
    text, samples = codec.encode_module([one]), codec.encode_samples([one])
    assert decode(text, samples) == {one.case_id: one}
    with pytest.raises(BaselineError, match=r"^m\.samples\.json at .* expected the samples"):
        decode(text, None)
    with pytest.raises(BaselineError, match=r"^m\.samples\.json at .* no paired metric of m\.json"):
        decode(text.replace('"paired"', '"run"'), samples)


@pytest.mark.parametrize("kind", ["paired", "ordinal"])
def test_scores_and_level_must_agree(case: Case, history: History, kind: str) -> None:
    two = history("accuracy", (0.625, 0.6251), (0.525,), env="e1", kind=Kind(kind))
    one = case("t/test_m.py::test_a", accuracy=two)
    text, samples = codec.encode_module([one]), codec.encode_samples([one])
    assert samples is not None
    assert decode(text, samples) == {one.case_id: one}
    message = (
        r'^m\.samples\.json at cases\["test_a"\]\["accuracy"\]: expected scores whose mean is the '
        r"level of a session in the main file, such as 0\.525, got a mean of 0\.475\. Restore"
    )
    with pytest.raises(BaselineError, match=message):
        decode(text, samples.replace("0.4, 0.65", "0.35, 0.6"))
    with pytest.raises(BaselineError, match="expected scores whose mean"):
        decode(text.replace("0.525", "0.475"), samples)
    # That of an earlier session is one too: it was kept where scores were not updated.
    assert decode(text, samples.replace("0.4, 0.65", "0.5, 0.75"))


def test_the_level_of_a_set_is_no_mean(case: Case, history: History) -> None:
    fid = history("accuracy", (7.5,), env="e1", kind=Kind.SET, samples=Samples(("a",), (3.0,)))
    one = case("t/test_m.py::test_a", fid=fid)
    assert decode(codec.encode_module([one]), codec.encode_samples([one])) == {one.case_id: one}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=4,
)


def _with_one_node_replaced(
    content: Any, node: object, draw: Callable[[st.SearchStrategy[Any]], Any]
) -> Any:
    if not isinstance(content, dict | list) or not content or draw(st.integers(0, 3)) == 0:
        return node
    copy = content.copy()
    keys = sorted(content) if isinstance(content, dict) else range(len(content))
    key = draw(st.sampled_from(keys))
    copy[key] = _with_one_node_replaced(content[key], node, draw)
    return copy


@STEADY
@given(_modules(), _JSON, st.booleans(), st.data())
def test_any_content_is_read_or_refused_with_a_message(
    cases: dict[str, CaseHistory], node: object, main: bool, data: st.DataObject
) -> None:
    texts = [codec.encode_module(cases.values()), codec.encode_samples(cases.values()) or "{}"]
    content = json.loads(texts[not main])
    texts[not main] = json.dumps(_with_one_node_replaced(content, node, data.draw))
    message = "m.json"
    try:
        decode(*texts)
    except BaselineError as error:
        message = str(error)
    assert message.startswith(("m.json", "m.samples.json"))


def test_values_outside_json_are_refused(case: Case, history: History) -> None:
    for name, value in (("latency", math.nan), ("peak_memory", math.inf)):
        text = codec.encode_module(
            [case("t/test_m.py::test_a", **{name: history(name, (value,), env="e1")})]
        )
        with pytest.raises(BaselineError, match=r"runs\[0\]: expected a finite number"):
            decode(text, None)


def test_samples_stay_small(case: Case, history: History) -> None:
    """30 cases x 3 metrics x 200 samples must fit in a repository."""
    ids = tuple(f"prompt-{i:04d}/seed-{i % 4}" for i in range(200))

    def scores(number: int) -> MetricHistory:
        values = tuple(math.sin(number * 200 + i) for i in range(200))
        return history("accuracy", (fmean(values),) * 5, samples=Samples(ids, values))

    cases = [
        case(f"t/test_m.py::test_a[{i}]", **{m: scores(i * 3 + j) for j, m in enumerate("xyz")})
        for i in range(30)
    ]
    samples = codec.encode_samples(cases)
    assert samples is not None
    size = len(samples) + len(codec.encode_module(cases))
    assert 0.1e6 < size < 0.6e6
    # The control: full digits and ids beside every metric do not fit.
    content = [
        dict(zip(h.samples.ids, h.samples.values, strict=True))
        for c in cases
        for h in c.metrics.values()
        if h.samples is not None
    ]
    assert len(json.dumps(content)) > 0.6e6


def test_an_environment_is_unchanged(gpu: Environment) -> None:
    text = codec.encode_environment(gpu)
    assert codec.decode_environment(text, "e.json") == gpu
    assert (
        text
        == """\
{
  "boards":
    ["1f3a"],
  "cpu_model": "AMD EPYC 9554",
  "gpu_count": 1,
  "gpu_product": "NVIDIA H200",
  "mig_profile": null,
  "power_limits_w":
    [700.0],
  "schema": 1,
  "software": {
    "python": "3.12.4",
    "torch": "2.13.0"
  },
  "threads": 16,
  "usable_cores": 16
}
"""
    )


@STEADY
@given(
    st.builds(
        Environment,
        cpu_model=_NAMES,
        usable_cores=st.integers(0, 512),
        threads=st.integers(0, 512),
        gpu_product=st.none() | _NAMES,
        gpu_count=st.integers(0, 16),
        mig_profile=st.none() | _NAMES,
        power_limits_w=st.lists(_NUMBERS, max_size=3).map(tuple),
        boards=st.lists(_NAMES, max_size=3).map(tuple),
        software=st.dictionaries(_NAMES, _NAMES, max_size=3),
    )
)
def test_any_environment_keeps_its_content_and_its_key(environment: Environment) -> None:
    text = codec.encode_environment(environment)
    back = codec.decode_environment(text, "e.json")
    assert back == environment
    assert environment_key(back) == environment_key(environment)
    assert codec.encode_environment(back) == text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": "8"}, "e.json at threads: Expected `int`, got `str`."),
        ({"hostname": "n1"}, "e.json: Object contains unknown field `hostname`."),
        (
            {"power_limits_w": [math.nan]},
            "e.json at power_limits_w[0]: expected a finite number, got nan.",
        ),
        ({"software": {"torch": 2}}, 'e.json at software["torch"]: Expected `str`, got `int`.'),
        ({"schema": 9}, "e.json: schema 9 was written by a newer pytest-pareto; upgrade"),
    ],
)
def test_a_faulty_environment_is_reported_with_its_place(
    gpu: Environment, changes: Mapping[str, Any], message: str
) -> None:
    content = json.loads(codec.encode_environment(gpu)) | changes
    with pytest.raises(BaselineError) as caught:
        codec.decode_environment(json.dumps(content), "e.json")
    assert str(caught.value).startswith(message)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    command = ["git", *identity, *arguments]
    # Only this test's settings: no hooks, no signing, no merge drivers of the user.
    alone = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        command, cwd=folder, env=alone, capture_output=True, text=True, check=False
    )


def _merge(folder: Path, base: str, ours: str, theirs: str) -> tuple[bool, str]:
    """Merge two branches that changed one file, with the real git."""
    file = folder / "m.json"
    assert _git(folder, "init", "-q", "-b", "ours").returncode == 0
    for branch, text in (("ours", base), ("theirs", theirs), ("ours", ours)):
        if _git(folder, "checkout", "-q", branch).returncode != 0:
            _git(folder, "checkout", "-q", "-b", branch)
        file.write_text(text)
        _git(folder, "add", "m.json")
        assert _git(folder, "commit", "-q", "-m", "text").returncode == 0
    return _git(folder, "merge", "-q", "theirs").returncode == 0, file.read_text()


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def four_versions(case: Case, history: History) -> tuple[dict[str, CaseHistory], ...]:
    """Return a module, two branches that each changed one of two neighbouring metrics, and both."""

    def version(energy: float, latency: float) -> dict[str, CaseHistory]:
        one = case(
            "t/test_m.py::test_a",
            energy=history("energy", (energy,), env="e1"),
            latency=history("latency", (latency,), env="e1"),
        )
        return {one.case_id: one}

    return version(1.0, 1.0), version(2.0, 1.0), version(1.0, 2.0), version(2.0, 2.0)


@needs_git
def test_git_merges_changes_of_neighbouring_metrics(
    tmp_path: Path, four_versions: tuple[dict[str, CaseHistory], ...]
) -> None:
    base, ours, theirs, both = (codec.encode_module(v.values()) for v in four_versions)
    merged, text = _merge(tmp_path, base, ours, theirs)
    assert merged
    assert text == both
    assert decode(text, None) == four_versions[-1]


@needs_git
def test_git_would_not_merge_adjacent_lines(
    tmp_path: Path, four_versions: tuple[dict[str, CaseHistory], ...]
) -> None:
    """The control: the same content without the name between the lines of two metrics."""
    base, ours, theirs, _ = (
        codec.encode_module(v.values()).replace(":\n          ", ": ") for v in four_versions
    )
    merged, text = _merge(tmp_path, base, ours, theirs)
    assert not merged
    with pytest.raises(BaselineError, match=r"^m\.json: unresolved merge conflict at line 6\. "):
        decode(text, None)
