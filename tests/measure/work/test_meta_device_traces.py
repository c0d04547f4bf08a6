"""`restore_modules` removes what a `forward` stores on its module, and restores the rest."""

from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")


class Cache(dict[str, Any]):
    """A container subclass, which may not support being cleared and filled."""

    def clear(self) -> None:
        raise TypeError("read-only")


class Keeper(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(4)
        self.register_buffer("total", torch.zeros(4))
        self.total: Any
        self.calls = 0
        self.cache: dict[str, Any] = {"old": 1}
        self.past: list[Any] = []
        self.config = Cache(a=1)

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.cache["new"] = x
        self.past.append(x)
        self.total = self.total + x.sum(0)
        self.positions = torch.arange(4)
        self.register_buffer("late", x)
        self.weight = torch.nn.Parameter(x)
        return self.norm(x)


def left_on(keeper: Keeper) -> tuple[object, ...]:
    return (
        keeper.calls,
        keeper.cache,
        keeper.past,
        hasattr(keeper, "positions"),
        sorted(keeper.state_dict()),
    )


def test_modules_are_as_before() -> None:
    from pytest_pareto.measure.work.meta_device import restore_modules

    keeper = Keeper()
    before = total, cache = keeper.total, keeper.cache
    state = left_on(Keeper())
    with restore_modules():
        keeper(torch.ones(2, 4))
        keeper(torch.ones(2, 4))
        assert left_on(keeper) != state
    assert left_on(keeper) == state
    assert (keeper.total, keeper.cache) == before
    assert keeper.total is total
    assert keeper.cache is cache
    assert keeper(torch.ones(2, 4)).shape == (2, 4)


def test_without_it_they_are_not() -> None:
    keeper = Keeper()
    keeper(torch.ones(2, 4))
    assert left_on(keeper) != left_on(Keeper())


def test_nothing_stays_hooked_where_the_call_fails() -> None:
    from pytest_pareto.measure.work.meta_device import restore_modules

    hooks = torch.nn.modules.module._global_forward_pre_hooks
    keeper = Keeper()
    with pytest.raises(RuntimeError), restore_modules():  # noqa: PT012
        assert hooks
        keeper(torch.ones(2, 5))
    assert not hooks
    assert keeper.calls == 0


def test_the_grad_mode_is_as_before() -> None:
    from pytest_pareto.measure.work.meta_device import restore_modules

    with restore_modules():
        torch.set_grad_enabled(False)
    assert torch.is_grad_enabled()
