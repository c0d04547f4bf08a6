"""Objects of a JSON file: their keys."""


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of its pairs; raises ValueError where a key appears twice.

    For `json.loads(object_pairs_hook=...)`, which would keep the last and tell nobody.
    """
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {again!r} appears twice in one object")
    return content
