"""What a leg's processes carry runs in whatever Python the tests start."""

import ast
import sys
from pathlib import Path

import pytest

from pytest_pareto.runs import carried

FILES = sorted(Path(carried.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_understood_by_old_pythons_and_imports_nothing_new(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 7))
    for node in tree.body:  # what stands below `if TYPE_CHECKING` is not run
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= {"atexit", "os", "sys"}
        elif isinstance(node, ast.ImportFrom):
            assert node.module == "__future__" or node.level == 1
    assert "atexit" in sys.builtin_module_names
