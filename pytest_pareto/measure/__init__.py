"""Meters and the loop that calls a measured function; the only package that uses a device."""
