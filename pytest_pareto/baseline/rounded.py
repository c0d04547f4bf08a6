"""A baseline as its files would have it: with the digits that they keep."""

from dataclasses import replace

from pytest_pareto.baseline import layout
from pytest_pareto.baseline.codec import decode_module, encode_module, encode_samples
from pytest_pareto.model.baseline import Baseline, CaseHistory


def as_stored(baseline: Baseline) -> Baseline:
    """Return a baseline as it would be read again once it is written.

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
