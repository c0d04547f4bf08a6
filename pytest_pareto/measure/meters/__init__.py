"""The built-in meters, and the instruments that they read."""
