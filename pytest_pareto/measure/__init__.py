"""Measuring: meters and the loop that calls; the only room that touches a device."""
