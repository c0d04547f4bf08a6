"""How many pairs start up together, by the memory that there is."""

import pytest

from pytest_pareto.plugin import interleaving

GIB = 2**30


@pytest.mark.parametrize(
    ("own_gib", "free_gib", "pairs"),
    [(1, 64, 4), (1, 13, 3), (1, 4, 1), (1, 1, 1), (4, 64, 4), (8, 64, 2), (None, 64, 1)],
)
def test_waiting_processes_take_half_of_the_free_memory_at_most(
    monkeypatch: pytest.MonkeyPatch, own_gib: int | None, free_gib: int, pairs: int
) -> None:
    own_b = None if own_gib is None else own_gib * GIB
    monkeypatch.setattr(interleaving, "memory_in_use_b", lambda: own_b)
    monkeypatch.setattr(interleaving, "free_memory_b", lambda: free_gib * GIB)
    monkeypatch.setattr(interleaving, "initialized_cuda", lambda: None)
    assert interleaving._pairs_at_once() == pairs


def test_one_starts_where_importing_the_tests_has_touched_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interleaving, "memory_in_use_b", lambda: GIB)
    monkeypatch.setattr(interleaving, "free_memory_b", lambda: 64 * GIB)
    monkeypatch.setattr(interleaving, "initialized_cuda", object)
    assert interleaving._pairs_at_once() == 1
