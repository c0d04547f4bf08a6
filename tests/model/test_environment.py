import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Scope

GPU = Environment(
    "AMD EPYC 9654 96-Core Processor",
    usable_cores=16,
    threads=8,
    gpu_product="NVIDIA H200",
    gpu_count=1,
    power_limits_w=(700.0,),
    boards=("ab12",),
    software={"torch": "2.12"},
)
LAPTOP = Environment("Intel(R) Core(TM) i7-1185G7 CPU @ 3.00GHz", usable_cores=8, threads=4)

NAMES = {
    "cpu_model": "CPU",
    "usable_cores": "usable cores",
    "threads": "threads",
    "gpu_product": "GPU",
    "gpu_count": "GPU count",
    "mig_profile": "MIG profile",
    "power_limits_w": "power limit (W)",
}


@pytest.mark.parametrize(
    ("changed", "blocks"),
    [
        ({"cpu_model": "another"}, {Scope.HOST}),
        ({"usable_cores": 8}, {Scope.HOST}),
        ({"threads": 1}, {Scope.HOST}),
        ({"gpu_product": "NVIDIA H100"}, {Scope.GPU, Scope.HOST}),
        ({"gpu_count": 2}, {Scope.GPU, Scope.HOST}),
        ({"mig_profile": "3g.71gb"}, {Scope.GPU, Scope.HOST}),
        ({"power_limits_w": (500.0,)}, {Scope.GPU, Scope.HOST}),
        ({"boards": ("cd34",)}, set()),
        ({"software": {"torch": "2.13"}}, set()),
    ],
)
def test_the_scope_decides_what_must_match(changed: dict[str, object], blocks: set[Scope]) -> None:
    other = replace(GPU, **changed)  # type: ignore[arg-type]  # one field at a time, any of them
    assert {scope for scope in Scope if GPU.mismatch(other, scope)} == blocks
    for scope in blocks:
        text = GPU.mismatch(other, scope)
        assert text is not None
        assert text.startswith(NAMES[next(iter(changed))] + " is ")


def test_a_mismatch_names_both_sides() -> None:
    other = replace(GPU, mig_profile="3g.71gb", power_limits_w=(350.0, 612.5))
    assert GPU.mismatch(other, Scope.GPU) == (
        "MIG profile is none here, 3g.71gb in the baseline; "
        "power limit (W) is 700 here, 350/612.5 in the baseline"
    )


def test_a_machine_without_a_gpu_is_named_by_its_cpu() -> None:
    assert LAPTOP.mismatch(replace(LAPTOP, threads=1, usable_cores=2), Scope.GPU) is None
    text = LAPTOP.mismatch(replace(LAPTOP, cpu_model="another"), Scope.GPU)
    assert text == f"CPU is {LAPTOP.cpu_model} here, another in the baseline"


def test_a_gpu_and_a_cpu_are_not_comparable() -> None:
    text = LAPTOP.mismatch(GPU, Scope.GPU)
    assert text is not None
    assert text.startswith("GPU is none here, NVIDIA H200 in the baseline")
    assert LAPTOP.mismatch(GPU, Scope.ANYWHERE) is None


def test_unknown_power_limits_are_none() -> None:
    text = replace(GPU, power_limits_w=()).mismatch(GPU, Scope.GPU)
    assert text == "power limit (W) is none here, 700 in the baseline"


ENVIRONMENTS = st.builds(
    Environment,
    cpu_model=st.text(max_size=30),
    usable_cores=st.integers(1, 4),
    threads=st.integers(1, 4),
    gpu_product=st.none() | st.text(max_size=30),
    gpu_count=st.integers(0, 3),
    mig_profile=st.none() | st.text(max_size=12),
    power_limits_w=st.lists(st.floats(1, 1000), max_size=2).map(tuple),
)


@given(ENVIRONMENTS, ENVIRONMENTS, st.sampled_from(Scope))
def test_matching_is_symmetric_and_reflexive(
    one: Environment, other: Environment, scope: Scope
) -> None:
    assert one.mismatch(one, scope) is None
    assert (one.mismatch(other, scope) is None) == (other.mismatch(one, scope) is None)
    if one.mismatch(other, Scope.HOST) is None:
        assert one.mismatch(other, Scope.GPU) is None


@given(ENVIRONMENTS)
def test_a_hardware_key_is_a_plain_folder_name(environment: Environment) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", environment.hardware_key)


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        (GPU, "nvidia-h200x1"),
        (replace(GPU, gpu_count=2, mig_profile="3g.71gb"), "nvidia-h200x2-3g-71gb"),
        (LAPTOP, "cpu-intel-core-i7-1185g7x8"),
        (replace(LAPTOP, cpu_model="AMD® Ryzen™ 7 Processor"), "cpu-amd-ryzen-7x8"),
        (replace(LAPTOP, cpu_model=""), "cpu-unknownx8"),
        (replace(LAPTOP, cpu_model="龙芯"), "cpu-unknownx8"),
        (replace(LAPTOP, cpu_model="../../etc/passwd\0\n"), "cpu-etc-passwdx8"),
        (replace(GPU, gpu_product="..\\..\\C:"), "cx1"),
        (replace(GPU, gpu_product=""), "unknownx1"),
        (replace(GPU, mig_profile="../.."), "nvidia-h200x1-unknown"),
    ],
)
def test_hardware_keys(environment: Environment, key: str) -> None:
    assert environment.hardware_key == key
