"""How many digits a number deserves, and how it is written: a true minus, no padded zero."""

import math

MINUS = "−"
MOST_DECIMALS = 6


def decimals_for(value: float, digits: int) -> int:
    """How many decimals show so many significant digits of a value."""
    if not value or not math.isfinite(value):
        return 0
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    return max(0, digits - 1 - exponent)


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals; what rounds to zero has no minus."""
    text = typeset(f"{value:.{decimals}f}")
    return text.removeprefix(MINUS) if not text.strip(f"{MINUS}0.") else text


def signed(value: float, decimals: int) -> str:
    """Write a number with its sign; what rounds to zero has none."""
    text = fixed(value, decimals)
    unsigned = text.startswith(MINUS) or math.isnan(value) or not text.strip("0.")
    return text if unsigned else f"+{text}"


def trimmed(value: float, digits: int, *, sign: bool = False) -> str:
    """Write so many significant digits, without zeros that only fill up the decimals."""
    if value and abs(value) < 10.0**-MOST_DECIMALS:
        return ("+" if sign and value > 0 else "") + typeset(f"{value:.0e}")
    decimals = decimals_for(value, digits)
    text = signed(value, decimals) if sign else fixed(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def typeset(text: str) -> str:
    """Turn Python's "-1.5e-08", "inf" and "nan" into what a report shows."""
    text = text.replace("inf", "∞").replace("nan", "NaN").replace("-", MINUS)
    head, e, exponent = text.partition("e")
    if not e:
        return text
    minus = MINUS if exponent.startswith(MINUS) else ""
    return f"{head}e{minus}{exponent.lstrip(f'+{MINUS}0') or '0'}"
