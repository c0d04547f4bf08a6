"""Samples in, scores out: generate once per sample, and score what came out."""

from pytest_pareto.scoring.batches import Executor
from pytest_pareto.scoring.evaluation import Evaluation, evaluate
from pytest_pareto.scoring.score import Score

__all__ = ["Evaluation", "Executor", "Score", "evaluate"]
