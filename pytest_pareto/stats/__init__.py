"""Statistics of runs, samples and sets: pure functions of numbers, without I/O, clock or device."""
