"""What a session is compared with, read from its files."""

from dataclasses import dataclass

from pytest_pareto.baseline.sources import load_anchor
from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.plugin.settings import Settings


@dataclass(frozen=True, slots=True)
class Past:
    """The rolling baseline, and the anchor if there is one."""

    baseline: Baseline
    anchor: Baseline | None


def load_past(settings: Settings, hardware_key: str) -> Past:
    """Read both, of one kind of machine.

    Raises BaselineError where either cannot be used.
    """
    folder = settings.anchor_dir
    anchor = load_anchor(folder, hardware_key) if folder is not None else None
    return Past(load(settings.baseline_dir, hardware_key), anchor)
