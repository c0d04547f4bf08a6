"""Statistics of runs, samples and sets: numbers in, numbers out; no file, no clock, no device."""
