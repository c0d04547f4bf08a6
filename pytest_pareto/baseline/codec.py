"""Encode and decode baseline files: the text of a test module's cases, and of environments.

`encode_module` and `decode_module` handle a module's main file, of which each metric's line has a
digest of its own, that shows a change by hand. Scores per sample have a file of their own
(`encode_samples`, `SamplesReader`) with each id list once and one line of scores per metric.
`encode_policy` is the file of a policy. Text has sorted keys, one line per leaf and a fixed number
of digits.
"""

import json
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TypeAlias

import msgspec

from pytest_pareto.baseline import layout, schema
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import RUN_DIGITS, SAMPLE_DIGITS, round_samples, significant
from pytest_pareto.model.metric import Kind, Rule
from pytest_pareto.model.policy import Policy, SessionSpreads


def encode_module(cases: Iterable[CaseHistory]) -> str:
    """Return the text of the main file of one test module's cases."""
    tree: dict[str, Tree] = {}
    for case in cases:
        tree[layout.split_case_id(case.case_id)[1]] = {
            "front": json_line(case.front),
            "source": json_line(case.source),
            "metrics": {
                name: _digested_line(case.case_id, name, history)
                for name, history in case.metrics.items()
            },
        }
    return json_block({"schema": str(schema.SCHEMA), "cases": tree}) + "\n"


def decode_module(
    text: str, samples_text: str | None, *, file: str, module: str, environments: Container[str]
) -> dict[str, CaseHistory]:
    """Return the cases of one test module, by case id, from its main file and its samples file.

    ``file`` is the name of the main file in messages. ``environments`` holds the names that its
    sessions may refer to. Raises BaselineError naming the file, the place in it and the expected
    content.
    """
    scores = SamplesReader(samples_text, layout.samples_file(file), file)
    cases = _cases(text, file, module, environments, scores.take, scored=True)
    scores.refuse_leftovers()
    return cases


def decode_levels(
    text: str, *, file: str, module: str, environments: Container[str]
) -> dict[str, CaseHistory]:
    """Return the cases of one test module as `decode_module` does, without scores per sample."""
    return _cases(text, file, module, environments, lambda _rest, _name: None, scored=False)


def _cases(
    text: str,
    file: str,
    module: str,
    environments: Container[str],
    samples_of: Callable[[str, str], Samples | None],
    *,
    scored: bool,
) -> dict[str, CaseHistory]:
    """Return the cases of a main file.

    ``samples_of`` returns the scores by the rest of the case id and the metric's name; without
    ``scored`` there are none, and digests are not checked.
    """
    cases = {}
    for rest, (entry, lines) in schema.module_entries(text, file).items():
        case_id = layout.join_case_id(module, rest)
        metrics = {}
        for name, content in lines.items():
            _check_environments(content, environments, file, schema.metric_place(rest, name))
            samples = samples_of(rest, name) if content.kind.sampled else None
            history = _history(content, samples)
            if samples is not None:
                _check_mean(history, samples, file, rest, name)
            edited = _is_edited(entry.metrics[name], history, (case_id, name), scored=scored)
            metrics[name] = replace(history, edited=edited) if edited else history
        cases[case_id] = CaseHistory(case_id, entry.front, entry.source, metrics)
    return cases


def encode_environment(environment: Environment) -> str:
    """Return the text of the file of one environment."""
    facts: dict[str, str | Tree] = {
        fact.name: json_line(getattr(environment, fact.name)) for fact in fields(Environment)
    }
    facts["software"] = {name: json_line(version) for name, version in environment.software.items()}
    facts["schema"] = str(schema.SCHEMA)
    return json_block(facts) + "\n"


def decode_environment(text: str, file: str) -> Environment:
    """Return the environment in a file's text. Raises BaselineError as `decode_module` does."""
    content = schema.convert(schema.parse(text, file), schema.EnvironmentFile, file, "")
    schema.check_finite(content.power_limits_w, file, "power_limits_w")
    facts = {fact.name: getattr(content, fact.name) for fact in fields(Environment)}
    software = {
        name: schema.convert(version, str, file, f"software{schema.key(name)}")
        for name, version in content.software.items()
    }
    return Environment(**facts | {"software": software})


def encode_policy(policy: Policy) -> str:
    """Return the text of the file of a policy."""
    content = _policy_content(policy)
    facts = {name: json_line(value) for name, value in content.items() if name != "spreads"}
    tree: dict[str, str | Tree] = {
        **facts,
        "spreads": {name: json_line(value) for name, value in asdict(policy.spreads).items()},
        "digest": json_line(layout.content_key(content)),
        "schema": str(schema.SCHEMA),
    }
    return json_block(tree) + "\n"


def decode_policy(text: str, file: str) -> tuple[Policy, bool]:
    """Return the policy in a file's text, and whether it was changed by hand.

    Raises BaselineError as `decode_module` does.
    """
    content = schema.convert(schema.parse(text, file), schema.PolicyFile, file, "")
    known = {spread.name for spread in fields(SessionSpreads)}
    for name in content.spreads:
        if name not in known:
            raise schema.corrupt(file, f"spreads{schema.key(name)}", "no such spread is known")
    policy = Policy(
        alpha=content.alpha,
        missing=content.missing,
        fail_inconclusive=content.fail_inconclusive,
        trade_offs=content.trade_offs,
        spreads=SessionSpreads(**content.spreads),
        confirming=content.confirming,
        fail_rules=content.fail_rules,
    )
    return policy, content.digest != layout.content_key(_policy_content(policy))


def _policy_content(policy: Policy) -> dict[str, object]:
    return {
        "alpha": policy.alpha,
        "confirming": policy.confirming,
        "fail_inconclusive": policy.fail_inconclusive,
        "fail_rules": policy.fail_rules,
        "missing": policy.missing,
        "spreads": asdict(policy.spreads),
        "trade_offs": policy.trade_offs,
    }


def _history(content: schema.MetricLine, samples: Samples | None) -> MetricHistory:
    return MetricHistory(
        unit=content.unit,
        better=content.better,
        kind=content.kind,
        scope=content.scope,
        sessions=tuple(
            Session(s.env, s.epoch, s.runs, s.reference, s.reason, s.lower_bound)
            for s in content.sessions
        ),
        samples=samples,
        gates=content.gates,
        rule=None if content.rule is None else Rule(**msgspec.structs.asdict(content.rule)),
        digest=content.digest or "",
    )


def history_key(history: MetricHistory) -> str:
    """Return a key of a metric's entry as it is written, including its samples."""
    samples = history.samples
    pairs = (
        [] if samples is None else [*zip(samples.ids, round_samples(samples.values), strict=True)]
    )
    return layout.content_key([json_line(_metric_content(history)), pairs])


def _digested_line(case_id: str, name: str, history: MetricHistory) -> str:
    """Return the line of a metric with its digest: a new one of an entry that was not read.

    An entry that was read keeps its own, so that no update of another one hides a change by hand.
    """
    content = _metric_content(history)
    digest = history.digest
    if digest is None and history.rule is not None:
        digest = _digest(content, history, (case_id, name))
    return json_line(content | ({"digest": digest} if digest else {}))


def _digest(content: Mapping[str, object], history: MetricHistory, place: tuple[str, str]) -> str:
    """Return the digest of a metric's line and its scores, at their place.

    It reveals a change by hand; it is no secret, and whoever wants to can compute it.
    """
    samples = history.samples
    scores = None if samples is None else [samples.ids, round_samples(samples.values)]
    return layout.content_key([*place, content, scores])


def _is_edited(
    line: object, history: MetricHistory, place: tuple[str, str], *, scored: bool
) -> bool:
    """Return whether a metric's line as it was read was changed by hand since it was written.

    Not known of lines from before there were digests, which have no rule either.
    """
    if not scored or not (history.digest or history.rule is not None):
        return False
    assert isinstance(line, dict)
    content = {name: part for name, part in line.items() if name != "digest"}
    return history.digest != _digest(content, history, place)


def _check_mean(history: MetricHistory, samples: Samples, file: str, rest: str, name: str) -> None:
    """Raise BaselineError where the mean of scores per sample is the level of no kept session.

    One of the two files was then changed without the other. The level of a set metric is no mean.
    """
    if history.kind is Kind.SET:
        return
    mean, rounding = _mean(samples.values), _mean([_half_a_unit(x) for x in samples.values])
    levels = [_mean(session.runs) for session in history.sessions]
    if any(abs(mean - x) <= rounding + _half_a_unit(x, RUN_DIGITS) for x in levels):
        return
    raise schema.corrupt(
        layout.samples_file(file),
        _place(rest, name),
        f"expected scores whose mean is the level of a session in the main file, such as "
        f"{levels[-1]:.{RUN_DIGITS}g}, got a mean of {mean:.{RUN_DIGITS}g}",
    )


def _mean(values: Sequence[float]) -> float:
    """Return the mean, also where the sum would overflow."""
    return math.fsum(value / len(values) for value in values)


def _half_a_unit(value: float, digits: int = SAMPLE_DIGITS) -> float:
    """Return the largest error of rounding to so many significant digits."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) + 1 - digits) if value else 0.0


def _metric_content(history: MetricHistory) -> dict[str, object]:
    exact = history.kind is Kind.EXACT  # compared digit by digit, so written in full
    sessions = [
        {
            "env": session.env,
            "epoch": session.epoch,
            "runs": [
                exact_number(r) if exact else significant(r, RUN_DIGITS) for r in session.runs
            ],
            **_reference(session),
            **({"reason": session.reason} if session.reason else {}),
            **({"lower_bound": session.lower_bound} if session.lower_bound else {}),
        }
        for session in history.sessions
    ]
    rule = None if history.rule is None else schema.RuleLine(**asdict(history.rule))
    return {
        "unit": history.unit,
        "better": history.better,
        "kind": history.kind,
        "scope": history.scope,
        "sessions": sessions,
        **({} if history.gates else {"gates": False}),
        **({} if rule is None else {"rule": msgspec.to_builtins(rule)}),
    }


def _reference(session: Session) -> dict[str, list[float]]:
    if not session.reference:
        return {}
    return {"reference": [significant(r, RUN_DIGITS) for r in session.reference]}


def _check_environments(
    content: schema.MetricLine, environments: Container[str], file: str, place: str
) -> None:
    for position, session in enumerate(content.sessions):
        if session.env not in environments:
            raise schema.corrupt(
                file,
                f"{place}.sessions[{position}].env",
                f"expected an environment of {layout.ENVIRONMENT_FOLDER}/, got {session.env!r}",
            )


def encode_samples(cases: Iterable[CaseHistory]) -> str | None:
    """Return the text of the samples file of one test module's cases; None without samples."""
    id_lists: dict[str, str] = {}
    tree: dict[str, Mapping[str, str]] = {}
    for case in cases:
        lines = {}
        for name, history in case.metrics.items():
            if history.samples is not None:
                ids = list(history.samples.ids)
                ids_key = layout.content_key(ids)
                id_lists[ids_key] = json_line(ids)
                values = round_samples(history.samples.values)
                lines[name] = json_line({"ids": ids_key, "values": values})
        if lines:
            tree[layout.split_case_id(case.case_id)[1]] = lines
    if not tree:
        return None
    return json_block({"schema": str(schema.SCHEMA), "ids": id_lists, "cases": tree}) + "\n"


class SamplesReader:
    """The content of a samples file, taken metric by metric; ``text`` None is a missing file.

    Every method raises BaselineError where the file's content is not as expected.
    """

    def __init__(self, text: str | None, file: str, main_file: str) -> None:
        self._file = file
        self._main_file = main_file
        self._ids: Mapping[str, tuple[str, ...]] = {}
        self._lines: dict[tuple[str, str], object] = {}
        if text is None:
            return
        content = schema.convert(schema.parse(text, file), schema.SamplesFile, file, "")
        self._ids = {name: _id_list(ids, file, name) for name, ids in content.ids.items()}
        for rest, entry in content.cases.items():
            lines = schema.convert(entry, dict[str, object], file, f"cases{schema.key(rest)}")
            self._lines |= {(rest, name): scores for name, scores in lines.items()}

    def take(self, rest: str, name: str) -> Samples:
        """Return the scores of one paired metric, and mark them as used."""
        place = _place(rest, name)
        if (rest, name) not in self._lines:
            raise schema.corrupt(
                self._file, place, f"expected the samples of a paired metric of {self._main_file}"
            )
        scores = schema.convert(
            self._lines.pop((rest, name)), schema.SamplesLine, self._file, place
        )
        schema.check_comparable(scores.values, self._file, f"{place}.values")
        ids = self._ids.get(scores.ids)
        if ids is None:
            raise schema.corrupt(
                self._file, f"{place}.ids", f"expected a key of 'ids', got {scores.ids!r}"
            )
        if len(ids) != len(scores.values):
            raise schema.corrupt(
                self._file,
                f"{place}.values",
                f"expected {len(ids)} values, one per id, got {len(scores.values)}",
            )
        return Samples(ids, scores.values)

    def refuse_leftovers(self) -> None:
        """Raise BaselineError for scores that no paired metric has taken."""
        for rest, name in self._lines:
            raise schema.corrupt(
                self._file,
                _place(rest, name),
                f"samples of what is no paired metric of {self._main_file}",
            )


def _id_list(content: object, file: str, name: str) -> tuple[str, ...]:
    place = f"ids{schema.key(name)}"
    ids = schema.convert(content, tuple[str, ...], file, place)
    if len(set(ids)) < len(ids):
        raise schema.corrupt(file, place, "expected every id once")
    return ids


def _place(rest: str, name: str) -> str:
    return f"cases{schema.key(rest)}{schema.key(name)}"


Tree: TypeAlias = Mapping[str, "str | Tree"]


def json_block(tree: Tree, indent: str = "") -> str:
    """Return nested objects as JSON with sorted keys; a leaf is a line of JSON.

    A leaf that is a list or an object is on the line below its name. Two branches that change
    neighbouring leaves then leave the unchanged name between them, which git needs to merge both.
    """
    inner = indent + "  "
    entries = []
    for name in sorted(tree):
        branch = tree[name]
        if not isinstance(branch, str):
            text = " " + json_block(branch, inner)
        elif branch.startswith(("{", "[")):
            text = f"\n{inner}  {branch}"
        else:
            text = " " + branch
        entries.append(f"{inner}{json.dumps(name)}:{text}")
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}" if entries else "{}"


def json_line(content: object) -> str:
    """Return content as one line of ASCII JSON with sorted keys."""
    return json.dumps(content, sort_keys=True)


def exact_number(value: float) -> float:
    """Return a value with every digit, a whole number as an integer while that is readable."""
    return int(value) if abs(value) < 2.0**63 and value == int(value) else value


def as_stored(baseline: Baseline) -> Baseline:
    """Return a baseline as it would be read after it is written, with the digits that files keep.

    Raises ParetoError where a case cannot have a baseline.
    """
    modules: dict[str, list[CaseHistory]] = {}
    for case in baseline.cases.values():
        modules.setdefault(layout.split_case_id(case.case_id)[0], []).append(case)
    cases: dict[str, CaseHistory] = {}
    for module, held in modules.items():
        cases |= decode_module(
            encode_module(held),
            encode_samples(held),
            file=module,
            module=module,
            environments=baseline.environments,
        )
    return replace(baseline, cases=cases)
