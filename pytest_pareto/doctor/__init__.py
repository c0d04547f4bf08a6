"""Studies of `pytest-pareto doctor`: machine noise, and the discriminative power of metrics."""
