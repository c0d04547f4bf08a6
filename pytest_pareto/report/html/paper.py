"""The size of a picture and of its margins, in pixels: for the drawing and for the script."""

WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 34, 52

Spot = tuple[float, float]
"""A place in the picture, from its upper left corner."""
