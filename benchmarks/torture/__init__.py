"""Faults of every kind, put to the product: mutated files, kills, odd lives of a test, bombs.

``python -m benchmarks.torture`` prints the fault matrix, and exits with 1 where a bound is broken.
"""
