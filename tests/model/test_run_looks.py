import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Looks


@given(st.integers(1, 400), st.integers(1, 20))
def test_every_look_adds_samples_and_the_last_has_all(samples: int, planned: int) -> None:
    planned = min(planned, samples)
    looks = Looks(samples, planned, 1, seed=0)
    ends = [looks.used_at(look) for look in range(1, planned + 1)]
    assert ends == sorted(set(ends))
    assert ends[-1] == samples
    gaps = [later - earlier for earlier, later in zip([0, *ends], ends, strict=False)]
    assert max(gaps) - min(gaps) <= 1


def test_the_last_look_is_complete() -> None:
    assert Looks(10, 5, 5, 0).complete
    assert not Looks(10, 5, 4, 0).complete
    assert Looks(10, 5, 4, 0).used == 8


@pytest.mark.parametrize(("samples", "planned", "at"), [(10, 5, 0), (10, 5, 6), (3, 5, 2)])
def test_invalid_looks_are_refused(samples: int, planned: int, at: int) -> None:
    with pytest.raises(ParetoError, match=f"look {at} of {planned} over {samples} samples"):
        Looks(samples, planned, at, seed=0)
