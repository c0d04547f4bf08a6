"""How often the verdicts are wrong and how often they are right: one table that anyone can rerun.

    python -m benchmarks.calibration [--quick]

from the root of a clone. Recordings of unchanged code, split in two; the same with a planted
factor; simulated sessions. Each row stands beside re-implemented rules of other tools.
"""
