"""Old and new code in turn: how many runs a block has, and how many blocks there are."""

PER_BLOCK = 2
"""Each block holds two runs of either side."""

SCREENING_BLOCKS = 2
"""Enough to suspect, not to convict."""

LEAST_BLOCKS, MOST_BLOCKS = 4, 12
"""Of those that measure again what looks worse."""

LEAST_OF_MANY = 6
"""The least, where many are suspected."""
