"""Telling: verdicts in, text out."""
