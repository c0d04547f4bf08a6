"""The import finder runs in any Python that the tests start."""

import ast
import sys
from pathlib import Path

from pytest_pareto.runs import import_finder


def test_it_runs_on_old_pythons_and_imports_nothing_new() -> None:
    tree = ast.parse(Path(import_finder.__file__).read_text(), feature_version=(3, 7))
    for node in tree.body:  # the body of `if TYPE_CHECKING` is not executed
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= {"atexit", "os", "sys"}
        elif isinstance(node, ast.ImportFrom):
            assert node.module == "__future__"
    assert "atexit" in sys.builtin_module_names
