"""Encode and decode baseline files: the text of a test module's cases, and of environments.

`encode_module` and `decode_module` handle a module's main file, of which each metric's line has a
digest of its own, that shows a change by hand. Scores per sample have a file of their own
(`encode_samples`) with each id list once and one line of scores per metric, and so has what levels
consist of (`encode_profile`). `encode_policy` is the file of a policy. Text has sorted keys, one
line per leaf and a fixed number of digits.
"""

import json
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TypeAlias

import msgspec

from pytest_pareto.baseline import layout, schema
from pytest_pareto.model.attribution import Breakdown, front_coded, is_sum, marks_of, what_and_place
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import (
    RUN_DIGITS,
    SAMPLE_DIGITS,
    exact_number,
    round_samples,
    significant,
)
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
    text: str,
    samples_text: str | None,
    *,
    profile_text: str | None = None,
    file: str,
    module: str,
    environments: Container[str],
) -> dict[str, CaseHistory]:
    """Return the cases of one test module, by case id, from its main file and those beside it.

    ``file`` is the name of the main file in messages. ``environments`` holds the names that its
    sessions may refer to. A level whose breakdown is missing has none. Raises BaselineError naming
    the file, the place in it and the expected content.
    """
    scores = schema.SamplesReader(samples_text, layout.samples_file(file), file)
    profile = schema.ProfileReader(profile_text, layout.profile_file(file))
    cases = _cases(text, file, module, environments, (scores, profile))
    scores.refuse_leftovers()
    return cases


def decode_levels(
    text: str, *, file: str, module: str, environments: Container[str]
) -> dict[str, CaseHistory]:
    """Return the cases of one test module as `decode_module` does, from its main file alone."""
    return _cases(text, file, module, environments, None)


def _cases(
    text: str,
    file: str,
    module: str,
    environments: Container[str],
    beside: tuple[schema.SamplesReader, schema.ProfileReader] | None,
) -> dict[str, CaseHistory]:
    """Return the cases of a main file.

    ``beside`` are the files beside it. Without them there are no scores and no breakdowns, and
    digests are not checked.
    """
    cases = {}
    for rest, (entry, lines) in schema.module_entries(text, file).items():
        case_id = layout.join_case_id(module, rest)
        metrics = {}
        for name, content in lines.items():
            _check_environments(content, environments, file, schema.metric_place(rest, name))
            samples, breakdown = None, None
            if beside is not None:
                scores, profile = beside
                samples = scores.take(rest, name) if content.kind.sampled else None
                breakdown = profile.take(rest, name)
            history = _history(content, samples, breakdown)
            if samples is not None:
                _check_mean(history, samples, file, rest, name)
            edited = beside is not None and _is_edited(
                entry.metrics[name], history, (case_id, name)
            )
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


def _history(
    content: schema.MetricLine, samples: Samples | None, breakdown: Breakdown | None
) -> MetricHistory:
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
        breakdown=breakdown,
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

    It reveals a change by hand; it is no secret, and whoever wants to can compute it. What a level
    consists of is not in it, since that decides nothing.
    """
    samples = history.samples
    scores = None if samples is None else [samples.ids, round_samples(samples.values)]
    return layout.content_key([*place, content, scores])


def _is_edited(line: object, history: MetricHistory, place: tuple[str, str]) -> bool:
    """Return whether a metric's line as it was read was changed by hand since it was written.

    Not known of lines from before there were digests, which have no rule either.
    """
    if not (history.digest or history.rule is not None):
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
        schema.place_beside(rest, name),
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


def encode_profile(cases: Iterable[CaseHistory]) -> str | None:
    """Return the text of the profile file of one test module's cases; None without breakdowns."""
    lines: dict[str, str] = {}
    for case in cases:
        known = {n: h.breakdown for n, h in case.metrics.items() if h.breakdown is not None}
        if known:
            lines[layout.split_case_id(case.case_id)[1]] = _profile_line(known)
    if not lines:
        return None
    return json_block({"schema": str(schema.SCHEMA), "cases": lines}) + "\n"


def _profile_line(breakdowns: Mapping[str, Breakdown]) -> str:
    """Return a case's line: the texts of its names, its marks, and a list for each metric."""
    parts = [part for each in breakdowns.values() for part in each.parts]
    whats = {what_and_place(part.name)[0] for part in parts if not is_sum(part)}
    used = sorted(whats | {place for p in parts if (place := what_and_place(p.name)[1])})
    places = {each: place for place, each in enumerate(used)}
    content = {
        "names": front_coded(used),
        "metrics": {
            name: _breakdown_content(breakdown, places) for name, breakdown in breakdowns.items()
        },
        **({"marks": marks} if (marks := marks_of(breakdowns.values())) else {}),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _breakdown_content(breakdown: Breakdown, places: Mapping[str, int]) -> list[object]:
    """Return a metric's list: parts with a name, the rest, how many are folded, sums by place.

    A part is the places of its name, its value, and its count; a sum its place, and its value.
    """
    parts: list[list[float]] = []
    sums: list[float] = []
    for part in breakdown.parts:
        what, where = what_and_place(part.name)
        numbers = [exact_number(n) for n in (part.value, part.count) if n is not None]
        if is_sum(part):
            sums += [places[where], *numbers]
        else:
            parts.append([places[what], places[where] if where else -1, *numbers])
    folded = [exact_number(breakdown.rest), breakdown.folded, *([sums] if sums else ())]
    return [parts, *(folded if any(folded) else ())]


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
            profile_text=encode_profile(held),
            file=module,
            module=module,
            environments=baseline.environments,
        )
    return replace(baseline, cases=cases)
