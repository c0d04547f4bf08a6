"""Judging: changes in, verdicts out. Pure."""
