"""The meters that are built in, and what they read."""
