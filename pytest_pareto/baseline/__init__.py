"""The snapshot in the repository; the only room that touches its files."""
