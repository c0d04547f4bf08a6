"""Stages of a diffusers pipeline: where a call's time goes before, in and after its steps."""

from pytest_pareto.diffusers.marks import STAGES
from pytest_pareto.diffusers.staged import StagedPipeline, by_stage

__all__ = ["STAGES", "StagedPipeline", "by_stage"]
