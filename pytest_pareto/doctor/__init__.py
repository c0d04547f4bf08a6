"""The two studies of `pytest-pareto doctor`: noise of a machine, resolving power of metrics."""
