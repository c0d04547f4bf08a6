"""From what a process says to a run, where tests could not be collected."""

import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.plugin.process_hooks import RunBuilder, why_uncollected

IMPORT = """ImportError while importing test module '/at/tests/test_it.py'.
Hint: make sure your test modules/packages have valid Python names.
Traceback:
tests/test_it.py:1: in <module>
    from mypkg.extra import SECONDS
E   ModuleNotFoundError: No module named 'mypkg.extra'"""
SYNTAX = """tests/test_it.py:1: in <module>
    import mypkg
E     File "/at/mypkg/__init__.py", line 1
E       def score(:
E                 ^
E   SyntaxError: invalid syntax"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (IMPORT, "ModuleNotFoundError: No module named 'mypkg.extra'"),
        (SYNTAX, "SyntaxError: invalid syntax"),
        ("In test_it: function uses no argument 'x'\nmore", "In test_it: function uses no argum"),
        ("", "no message"),
    ],
)
def test_a_module_that_cannot_be_collected_says_why(text: str, why: str) -> None:
    report = pytest.CollectReport("tests/test_it.py", "failed", text, [])
    assert why_uncollected(report).startswith(why)


def test_what_could_not_be_collected_has_failed_and_is_no_test() -> None:
    builder = RunBuilder()
    builder.add_uncollected("tests/test_it.py", "why")
    run = builder.build(Environment("a CPU", 2, 1))
    assert run.failed == builder.failed == {"tests/test_it.py": "why"}
    assert builder.silent_failures("the warm-up") == []


def test_a_message_that_is_a_document_is_cut() -> None:
    report = pytest.CollectReport("tests/test_it.py", "failed", "E   " + "x" * 10**6, [])
    assert why_uncollected(report) == "x" * 2000
    assert why_uncollected(pytest.CollectReport("a", "failed", "y" * 10**6, [])) == "y" * 2000
