"""Baseline files in the repository: read, planned updates, written.

Only this package reads and writes them.
"""
