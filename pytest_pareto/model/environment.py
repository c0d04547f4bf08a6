"""The environment of a run: hardware, which must match to compare, and recorded software."""

import re
from dataclasses import dataclass, field

from pytest_pareto.model.metric import Scope


@dataclass(frozen=True, slots=True)
class Environment:
    """One machine as a process saw it. No host name, no serial number: boards are hashes.

    ``power_limits_w`` and ``boards`` (short hashes of the GPU UUIDs) are in device order.
    ``software`` maps names such as "torch" to versions; a difference never blocks a
    comparison, it is named in the report.
    """

    cpu_model: str
    usable_cores: int
    threads: int
    gpu_product: str | None = None
    gpu_count: int = 0
    mig_profile: str | None = None
    power_limits_w: tuple[float, ...] = ()
    boards: tuple[str, ...] = ()
    software: dict[str, str] = field(default_factory=dict)

    @property
    def hardware_key(self) -> str:
        """The folder name of this hardware's baselines, such as ``nvidia-h200x1``."""
        if self.gpu_product is None:
            return f"cpu-{_slug(self.cpu_model)}x{self.usable_cores}"
        mig = f"-{_slug(self.mig_profile)}" if self.mig_profile else ""
        return f"{_slug(self.gpu_product)}x{self.gpu_count}{mig}"

    def scope_facts(self, scope: Scope) -> dict[str, object]:
        """Return what must be equal on both sides for a metric of ``scope`` to be comparable."""
        if scope is Scope.ANYWHERE:
            return {}
        if self.gpu_product is None:
            device: dict[str, object] = {"GPU": None, "CPU": self.cpu_model}
        else:
            device = {
                "GPU": self.gpu_product,
                "GPU count": self.gpu_count,
                "MIG profile": self.mig_profile,
                "power limit (W)": self.power_limits_w,
            }
        if scope is Scope.GPU:
            return device
        return device | {
            "CPU": self.cpu_model,
            "usable cores": self.usable_cores,
            "threads": self.threads,
        }

    def mismatch(self, other: "Environment", scope: Scope) -> str | None:
        """Return why a metric of ``scope`` cannot be compared with ``other``'s, or None.

        The text reads "CPU is X here, Y in the baseline" with ``other`` as the baseline.
        """
        here, there = self.scope_facts(scope), other.scope_facts(scope)
        parts = [
            f"{name} is {_text(here.get(name))} here, {_text(there.get(name))} in the baseline"
            for name in here | there
            if here.get(name) != there.get(name)
        ]
        return "; ".join(parts) or None


def _text(fact: object) -> str:
    if fact is None or fact == ():
        return "none"
    if isinstance(fact, tuple):
        return "/".join(f"{part:g}" for part in fact)
    return str(fact)


def _slug(text: str) -> str:
    """Return a name of lower-case ASCII letters, digits and hyphens, without trademark signs."""
    text = re.sub(r"\((R|TM|C)\)|®|™|@.*$|\b(CPU|Processor)\b", " ", text)
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unknown"
