"""What can go wrong through the user's input, each with a way out.

How a library is got that is not there: by its own name, as this package requires it.
"""

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires


class ParetoError(Exception):
    """A mistake in a test, an option or a file; the message has the way out."""


class BaselineError(ParetoError):
    """A baseline file that cannot be read or written; the message names file, place and fix."""


class NewerSchemaError(BaselineError):
    """A baseline file that a newer version of this package wrote."""


class PlaceError(BaselineError):
    """A folder that cannot be the baseline's, so that another one has to be chosen."""


_NAME = re.compile(r"[A-Za-z0-9._-]+")
_PLATFORM = re.compile(r"sys_platform\s*==\s*['\"](\w+)['\"]")


def pip_install(library: str) -> str:
    """Return the command that installs a library in a version that fits.

    The versions are those that the installed package's own metadata asks for, in whatever extra.
    Where that does not know the library, or there is none (a bare source tree), any version will
    do. Never an extra of ours: the name of a package that is not on an index may be anyone's there.
    """
    try:
        known = requires("pytest-pareto") or []
    except PackageNotFoundError:
        known = []
    fitting = dict.fromkeys(
        requirement.strip()
        for requirement, _, marker in (each.partition(";") for each in known)
        if _name_of(requirement) == library and _is_for_here(marker)
    )
    return shlex.join(("pip", "install", *(fitting or [library])))


def _name_of(requirement: str) -> str:
    found = _NAME.match(requirement)
    return "" if found is None else found.group().lower()


def _is_for_here(marker: str) -> bool:
    return _PLATFORM.findall(marker) in ([], [sys.platform])
