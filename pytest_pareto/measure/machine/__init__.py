"""The machine that measures: processor, cores, GPUs, and what the driver tells of them."""
