"""Names of files for ids, which may hold anything."""

import hashlib
import re

_SHOWN = 30
_DIGITS = 12
_PLAIN = re.compile(rf"[a-z0-9_]{{1,{_SHOWN}}}")
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)
"""What Windows takes for a device, whatever its suffix."""


def file_name(text: str, *, shown: str | None = None) -> str:
    """Return a name, without a suffix, that every file system takes and no other text has.

    A short lower-case word is its own name. Of anything else there is what can be read of it,
    or of ``shown``, and a hash: systems differ in case, in accents and in what they refuse.
    """
    if _PLAIN.fullmatch(text) and text not in _DEVICES:
        return text
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", text if shown is None else shown).strip("-")
    # Ids may hold lone surrogates, which UTF-8 has no form of.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{readable[:_SHOWN].rstrip('-') or 'id'}-{digest}"


def case_name(case_id: str) -> str:
    """Return the name of a case's folder: what is shown of it is the test."""
    return file_name(case_id, shown=case_id.rpartition("::")[2])
