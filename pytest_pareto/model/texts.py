"""Texts that every room writes alike: what has to survive a file, and shares in percent."""

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


def percent(share: float, decimals: int = 0, *, signed: bool = False) -> str:
    """Write a share as SI does, with a space, and with a true minus: "13 %", "−0.4 %"."""
    return f"{100 * share:{'+' if signed else ''}.{decimals}f} %".replace("-", "−")
