"""What the files hold, by their own words; `wire` reads them."""

from typing import Annotated

import msgspec

from pytest_pareto.model.metric import Better, Kind, Scope

SCHEMA = 1


class SessionLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `Session` in the main file."""

    env: str
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    runs: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]
    reference: tuple[float, ...] = ()
    reason: str = ""


class MetricLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `MetricHistory` in the main file: one line of it."""

    unit: str
    better: Better
    kind: Kind
    scope: Scope
    sessions: Annotated[tuple[SessionLine, ...], msgspec.Meta(min_length=1)]
    gates: bool = True


class CaseEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `CaseHistory` in the main file; its metrics are validated one by one."""

    front: str
    source: str
    metrics: dict[str, object]


class ModuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A main file; its cases are validated one by one."""

    schema: int
    cases: dict[str, object]


class SamplesLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scores of one metric, in the order of the id list that ``ids`` names."""

    ids: str
    values: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]


class SamplesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A samples file: id lists by the hash of their content, scores by case and metric."""

    schema: int
    ids: dict[str, object]
    cases: dict[str, object]


class EnvironmentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `Environment` in its file; the versions are validated one by one."""

    schema: int
    cpu_model: str
    usable_cores: int
    threads: int
    gpu_product: str | None
    gpu_count: int
    mig_profile: str | None
    power_limits_w: tuple[float, ...]
    boards: tuple[str, ...]
    software: dict[str, object]
