"""Statistical comparison: levels and scores in, changes out. Pure functions, no I/O."""
