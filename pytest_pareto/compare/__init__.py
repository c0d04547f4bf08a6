"""Comparing: numbers in, changes out. Pure."""
