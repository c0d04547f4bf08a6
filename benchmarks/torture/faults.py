"""Faults planted in the product itself, by which the harness shows that it sees them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_pareto.baseline import codec, files, schema, store
from pytest_pareto.results import reader


def _no_check_of_scores(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(codec, "_check_mean", lambda *_: None)
    patch.setattr(codec, "_is_edited", lambda *_, scored: False)  # noqa: ARG005 - its signature


def _no_journal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store, "commit", lambda _, contents: files.replace_all(contents))


def _a_key_error(patch: pytest.MonkeyPatch) -> None:
    real = schema.convert

    def convert(content: Any, form: Any, file: str, place: str) -> Any:
        if form is schema.MetricLine:
            content["unit"]
        return real(content, form, file, place)

    patch.setattr(schema, "convert", convert)


def _no_bound(patch: pytest.MonkeyPatch) -> None:
    for module in (files, reader):
        patch.setattr(module, "read_regular_file", lambda path, _: path.read_text())


def _always_green(patch: pytest.MonkeyPatch) -> None:
    from pytest_pareto.plugin import terminal_summary

    patch.setattr(terminal_summary, "fail_tests", lambda *_: None)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "mean": _no_check_of_scores,
    "journal": _no_journal,
    "key-error": _a_key_error,
    "bound": _no_bound,
    "green": _always_green,
}
"""By name: the check that is left out."""


@contextmanager
def planted_fault(name: str | None) -> Iterator[None]:
    """Leave one check of the product out within the context; none for None."""
    with pytest.MonkeyPatch.context() as patch:
        if name is not None:
            FAULTS[name](patch)
        yield
