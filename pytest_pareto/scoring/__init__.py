"""Evaluation of generated outputs: generate once per sample, score per sample or as a set."""

from pytest_pareto.scoring.batches import Executor
from pytest_pareto.scoring.evaluation import Evaluation, EvaluationRequest, evaluate
from pytest_pareto.scoring.score import Score

__all__ = ["Evaluation", "EvaluationRequest", "Executor", "Score", "evaluate"]
