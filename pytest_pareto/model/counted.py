"""Numbers of things, in words."""


def plural(count: int, noun: str) -> str:
    """Count a noun: "1 case", "2 cases"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
