"""Paths of baseline files below the baseline directory; pure functions of names.

``<hardware key>/<test module>.json`` holds the metrics of one kind of machine, ``any/<test
module>.json`` those that are the same on every machine. Each of these main files may have two
siblings: ``.samples.json`` for scores per sample, and ``.profile.json`` for what levels consist of.
``_env/<hash>.json`` describes the environment of a measurement, and ``_policy/<hardware key>.json``
the policy of the last update.
"""

import hashlib
import json
import re
import unicodedata
from dataclasses import asdict
from pathlib import PurePath, PurePosixPath

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError, ParetoError
from pytest_pareto.model.metric import Scope

ANYWHERE_FOLDER = "any"
ENVIRONMENT_FOLDER = "_env"
POLICY_FOLDER = "_policy"
NO_MACHINE = "none"
"""The hardware key to read a baseline with that holds only results of every machine."""

_SUFFIX = ".json"
_SAMPLES = ".samples"
_PROFILE = ".profile"
_HARDWARE_KEY = re.compile(r"[a-z0-9][a-z0-9-]*")


def split_case_id(case_id: str) -> tuple[str, str]:
    """Return the test module and the rest of a case id ``path/to/test_mod.py::rest``.

    Raises ParetoError where the id names no module.
    """
    module, separator, rest = case_id.partition("::")
    if not separator:
        raise ParetoError(
            f"case {case_id!r} cannot have a baseline: its id has no '::' after a test file"
        )
    return module, rest


def join_case_id(module: str, rest: str) -> str:
    """Return the case id of a test module and a rest; the inverse of `split_case_id`."""
    return f"{module}::{rest}"


def module_file(folder: str, module: str) -> PurePosixPath:
    """Return the file of a test module's cases, relative to the baseline directory.

    The suffix ``.py`` is dropped where the name stays unique without it: ``test_a.py`` becomes
    ``test_a.json``, while ``test_a.v2.py`` and ``guide.md`` keep their whole names. So two test
    files never share one baseline file.

    Raises ParetoError where the path could leave the baseline directory on some system, or could
    coincide with another one.
    """
    problem = _path_problem(module)
    if problem is not None:
        raise ParetoError(f"the test file {module!r} cannot have a baseline: {problem}")
    path = PurePosixPath(module)
    name = path.stem if path.suffix == ".py" and "." not in path.stem else path.name
    return PurePosixPath(folder, path.with_name(name + _SUFFIX))


def module_of(relative: PurePath) -> str:
    """Return the test module of a baseline file whose path is relative to its folder.

    Raises BaselineError for a name that no module gives.
    """
    stem = relative.name.removesuffix(_SUFFIX)
    if not stem.strip("."):
        raise BaselineError(
            f"{relative.as_posix()}: no test file has its results in a file of this name. "
            "Delete it."
        )
    return relative.with_name(stem if "." in stem else f"{stem}.py").as_posix()


def samples_file(main: str) -> str:
    """Return the path of the scores per sample that belong to a module's main file."""
    return main.removesuffix(_SUFFIX) + _SAMPLES + _SUFFIX


def is_samples_file(path: PurePath) -> bool:
    """Return whether a file holds scores per sample, not a module's main content."""
    return path.name.endswith(_SAMPLES + _SUFFIX)


def profile_file(main: str) -> str:
    """Return the path of the breakdowns of levels that belong to a module's main file."""
    return main.removesuffix(_SUFFIX) + _PROFILE + _SUFFIX


def is_profile_file(path: PurePath) -> bool:
    """Return whether a file holds breakdowns of levels, not a module's main content."""
    return path.name.endswith(_PROFILE + _SUFFIX)


def is_main_file(path: PurePath) -> bool:
    """Return whether a JSON file of a results folder is a module's main file."""
    return not (is_samples_file(path) or is_profile_file(path))


def environment_file(key: str) -> PurePosixPath:
    """Return the file of an environment, relative to the baseline directory."""
    return PurePosixPath(ENVIRONMENT_FOLDER, key + _SUFFIX)


def policy_file(key: str) -> PurePosixPath:
    """Return the file of the policy of one kind of machine, relative to the baseline directory."""
    return PurePosixPath(POLICY_FOLDER, hardware_folder(key) + _SUFFIX)


def environment_key(environment: Environment) -> str:
    """Return the short name of an environment: a hash of its content, the same on every machine."""
    facts = asdict(environment)
    # 700 and 700.0 are equal, so they must have the same name.
    facts["power_limits_w"] = [float(limit) for limit in environment.power_limits_w]
    return content_key(facts)


def content_key(content: object) -> str:
    """Return 12 hexadecimal digits that identify JSON-like content."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def belongs(scope: Scope, folder: str) -> bool:
    """Return whether metrics of a scope are stored in a folder."""
    return (scope is Scope.ANYWHERE) == (folder == ANYWHERE_FOLDER)


def is_results_folder(folder: str) -> bool:
    """Return whether a folder of this name holds results, of one kind of machine or of all."""
    return not folder.startswith(("_", "."))


def is_machine_folder(folder: str) -> bool:
    """Return whether a folder of this name holds the results of one kind of machine."""
    return is_results_folder(folder) and folder != ANYWHERE_FOLDER


def hardware_folder(key: str) -> str:
    """Return the folder of a hardware key.

    Raises ParetoError where the key is not a plain folder name, or is the one for every machine.
    """
    if _HARDWARE_KEY.fullmatch(key) is None or key == ANYWHERE_FOLDER:
        raise ParetoError(
            f"{key!r} cannot name a hardware folder; use lower-case letters, digits and '-', "
            f"and not {ANYWHERE_FOLDER!r}"
        )
    return key


def _path_problem(module: str) -> str | None:
    segments = module.split("/")
    name = segments[-1]
    checks = (
        (
            ".." in segments,
            "it lies outside pytest's root directory; run with a --rootdir that holds it",
        ),
        (
            module.startswith("/") or re.match(r"[A-Za-z]:", module) is not None,
            "its path is absolute; run with a --rootdir that holds it",
        ),
        (
            "" in segments or "." in segments,
            "its path has an empty part; run pytest with a plain path",
        ),
        (
            any(unicodedata.category(character) in ("Cc", "Cs") for character in module),
            "its path has a character that file names cannot hold everywhere; rename it",
        ),
        (
            # Windows treats "\" and ":" as separators, and drops trailing dots and spaces.
            "\\" in module or ":" in module or any(s.endswith((".", " ")) for s in segments),
            r"its path has a '\' or ':', or a part that ends with '.' or ' '; rename it",
        ),
        (
            "." not in name or name.endswith((_SAMPLES, _PROFILE)),
            "a test file needs a suffix, and one other than '.samples' and '.profile'; rename it",
        ),
    )
    return next((message for wrong, message in checks if wrong), None)
