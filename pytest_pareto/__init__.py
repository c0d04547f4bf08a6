"""Performance and quality regression testing of GPU models, with Pareto fronts.

The public names are imported on first use (PEP 562), because pytest imports the plugin in every
session: numpy and scipy are imported with the comparisons only.

PYTEST_DONT_REWRITE: the command line imports this package before pytest could rewrite its
assertions.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pareto.compare.interleaved import compare_interleaved
    from pytest_pareto.compare.runs import compare_runs
    from pytest_pareto.compare.scores import compare_paired
    from pytest_pareto.measure.work.flops import Work, count_work
    from pytest_pareto.model.change import Change, Outcome
    from pytest_pareto.model.errors import BaselineError, ParetoError
    from pytest_pareto.plugin.fixture import Pareto
    from pytest_pareto.scoring.evaluation import Evaluation
    from pytest_pareto.scoring.score import Score

__version__ = "0.1.0.dev0"

__all__ = [
    "BaselineError",
    "Change",
    "Evaluation",
    "Outcome",
    "Pareto",
    "ParetoError",
    "Score",
    "Work",
    "__version__",
    "compare_interleaved",
    "compare_paired",
    "compare_runs",
    "count_work",
]

_MODULES = {
    "compare_interleaved": "pytest_pareto.compare.interleaved",
    "compare_runs": "pytest_pareto.compare.runs",
    "compare_paired": "pytest_pareto.compare.scores",
    "Change": "pytest_pareto.model.change",
    "Outcome": "pytest_pareto.model.change",
    "count_work": "pytest_pareto.measure.work.flops",
    "Work": "pytest_pareto.measure.work.flops",
    "Pareto": "pytest_pareto.plugin.fixture",
    "Evaluation": "pytest_pareto.scoring.evaluation",
    "Score": "pytest_pareto.scoring.score",
    "BaselineError": "pytest_pareto.model.errors",
    "ParetoError": "pytest_pareto.model.errors",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return __all__
