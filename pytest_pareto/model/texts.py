"""Texts that have to survive a file: names, units, ids."""

from pytest_pareto.model.errors import ParetoError


def require_text(what: str, text: str) -> None:
    """Raise ParetoError where a text cannot be written as UTF-8, and so in no file of ours.

    Python spells bytes of file names that are no UTF-8 as lone surrogates (PEP 383).
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParetoError(
            f"{what} {text!r} is no text that a file can hold (a lone surrogate, as in names of "
            "files that are not UTF-8); spell it otherwise"
        ) from None
