from pytest_pareto.model.session_record import Confirmation


def test_what_looked_worse_is_of_one_case_each() -> None:
    flagged = frozenset({("a", "latency"), ("a", "energy"), ("b", "latency")})
    confirmation = Confirmation(flagged, ())
    assert confirmation.flagged_of("a") == {"latency", "energy"}
    assert confirmation.flagged_of("a#decode") == frozenset()
