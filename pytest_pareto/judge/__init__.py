"""Judgement: changes in, verdicts out. Pure functions, no I/O."""
