"""Text to nouns and back, purely: the main file of a test module, and an environment's."""

from collections.abc import Callable, Container, Iterable
from dataclasses import fields

from pytest_pareto.baseline import forms, layout, wire
from pytest_pareto.baseline.emit import Tree, block, in_full, line
from pytest_pareto.baseline.samples_codec import SamplesReader, encode_samples
from pytest_pareto.model.baseline import CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import RUN_DIGITS, round_samples, significant
from pytest_pareto.model.metric import Kind

__all__ = [
    "decode_environment",
    "decode_levels",
    "decode_module",
    "encode_environment",
    "encode_module",
    "encode_samples",
    "history_key",
]


def encode_module(cases: Iterable[CaseHistory]) -> str:
    """Write the main file of one test module's cases."""
    tree: dict[str, Tree] = {}
    for case in cases:
        tree[layout.split_case_id(case.case_id)[1]] = {
            "front": line(case.front),
            "source": line(case.source),
            "metrics": {name: _metric_line(history) for name, history in case.metrics.items()},
        }
    return block({"schema": str(forms.SCHEMA), "cases": tree}) + "\n"


def decode_module(
    text: str, samples_text: str | None, *, file: str, module: str, environments: Container[str]
) -> dict[str, CaseHistory]:
    """Read the cases of one test module, by case id.

    ``file`` is what messages call the main file; ``environments`` holds the names that its
    sessions may refer to. Raises BaselineError naming the file, the place in it and what
    was expected there.
    """
    scores = SamplesReader(samples_text, layout.samples_file(file), file)
    cases = _cases(text, file, module, environments, scores.take)
    scores.refuse_leftovers()
    return cases


def decode_levels(
    text: str, *, file: str, module: str, environments: Container[str]
) -> dict[str, CaseHistory]:
    """Read the cases of one test module as `decode_module` does, without scores per sample."""
    return _cases(text, file, module, environments, lambda _rest, _name: None)


def _cases(
    text: str,
    file: str,
    module: str,
    environments: Container[str],
    samples_of: Callable[[str, str], Samples | None],
) -> dict[str, CaseHistory]:
    """Read a main file; ``samples_of`` has the scores by the rest of the case id and metric."""
    cases = {}
    for rest, (entry, lines) in wire.module_entries(text, file).items():
        metrics = {}
        for name, content in lines.items():
            _check_environments(content, environments, file, wire.metric_place(rest, name))
            samples = samples_of(rest, name) if content.kind.sampled else None
            metrics[name] = _history(content, samples)
        case_id = layout.join_case_id(module, rest)
        cases[case_id] = CaseHistory(case_id, entry.front, entry.source, metrics)
    return cases


def encode_environment(environment: Environment) -> str:
    """Write the file of one environment."""
    facts: dict[str, str | Tree] = {
        fact.name: line(getattr(environment, fact.name)) for fact in fields(Environment)
    }
    facts["software"] = {name: line(version) for name, version in environment.software.items()}
    facts["schema"] = str(forms.SCHEMA)
    return block(facts) + "\n"


def decode_environment(text: str, file: str) -> Environment:
    """Read the file of one environment; raises BaselineError as `decode_module` does."""
    content = wire.convert(wire.parse(text, file), forms.EnvironmentFile, file, "")
    wire.check_finite(content.power_limits_w, file, "power_limits_w")
    facts = {fact.name: getattr(content, fact.name) for fact in fields(Environment)}
    software = {
        name: wire.convert(version, str, file, f"software{wire.key(name)}")
        for name, version in content.software.items()
    }
    return Environment(**facts | {"software": software})


def _history(content: forms.MetricLine, samples: Samples | None) -> MetricHistory:
    return MetricHistory(
        unit=content.unit,
        better=content.better,
        kind=content.kind,
        scope=content.scope,
        sessions=tuple(
            Session(s.env, s.epoch, s.runs, s.reference, s.reason) for s in content.sessions
        ),
        samples=samples,
        gates=content.gates,
    )


def history_key(history: MetricHistory) -> str:
    """Return what stands for a metric's entry as it is written, with its samples."""
    samples = history.samples
    pairs = (
        [] if samples is None else [*zip(samples.ids, round_samples(samples.values), strict=True)]
    )
    return layout.content_key([_metric_line(history), pairs])


def _metric_line(history: MetricHistory) -> str:
    exact = history.kind is Kind.EXACT  # compared as they stand, so written in full
    sessions = [
        {
            "env": session.env,
            "epoch": session.epoch,
            "runs": [in_full(r) if exact else significant(r, RUN_DIGITS) for r in session.runs],
            **_reference(session),
            **({"reason": session.reason} if session.reason else {}),
        }
        for session in history.sessions
    ]
    return line(
        {
            "unit": history.unit,
            "better": history.better,
            "kind": history.kind,
            "scope": history.scope,
            "sessions": sessions,
            **({} if history.gates else {"gates": False}),
        }
    )


def _reference(session: Session) -> dict[str, list[float]]:
    if not session.reference:
        return {}
    return {"reference": [significant(r, RUN_DIGITS) for r in session.reference]}


def _check_environments(
    content: forms.MetricLine, environments: Container[str], file: str, place: str
) -> None:
    for position, session in enumerate(content.sessions):
        if session.env not in environments:
            raise wire.corrupt(
                file,
                f"{place}.sessions[{position}].env",
                f"expected an environment of {layout.ENVIRONMENT_FOLDER}/, got {session.env!r}",
            )
