"""Where a function crosses zero: without `scipy.optimize`, which takes long to import."""

from collections.abc import Callable

_WITHIN = 2e-12
_DOUBLE = 2.0**-52


def crossing(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where ``f`` crosses zero between two bounds, to 2e-12.

    Inverse quadratic interpolation where it can be trusted, and bisection elsewhere. Source:
    T. R. Chandrupatla (1997), "A new hybrid quadratic/bisection algorithm for finding the zero
    of a nonlinear function without using derivatives", Advances in Engineering Software 28,
    145-149. Raises ValueError where both bounds are on the same side of zero.
    """
    a, b = high, low
    f_a, f_b = f(a), f(b)
    if not min(f_a, f_b) <= 0 <= max(f_a, f_b):
        raise ValueError(f"no crossing of zero is enclosed: {f_b} at {low}, {f_a} at {high}")
    step = 0.5
    while True:
        best, f_best = (a, f_a) if abs(f_a) < abs(f_b) else (b, f_b)
        within = _WITHIN + 2 * _DOUBLE * abs(best)
        if f_best == 0 or abs(b - a) <= within:
            return best
        nearest = within / (2 * abs(b - a))
        x = a + min(max(step, nearest), 1 - nearest) * (b - a)
        f_x = f(x)
        if (f_x > 0) == (f_a > 0):
            c, f_c = a, f_a
        else:
            c, f_c = b, f_b
            b, f_b = a, f_a
        a, f_a = x, f_x
        step = _step(a, b, c, f_a, f_b, f_c)


def _step(a: float, b: float, c: float, f_a: float, f_b: float, f_c: float) -> float:
    """Return the next point's place between a and b: 0 to 1."""
    xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
    if not (phi**2 < xi and (1 - phi) ** 2 < 1 - xi):
        return 0.5
    of_the_line = f_a / (f_b - f_a) * f_c / (f_b - f_c)
    of_the_bend = (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
    return of_the_line + of_the_bend
