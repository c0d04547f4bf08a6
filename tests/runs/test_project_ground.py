from pathlib import PurePosixPath

import pytest

from pytest_pareto.runs.project import covers, find_test_paths


def found_paths(files: str, tests: str = "", root: str = ".") -> set[str]:
    found = find_test_paths(
        [PurePosixPath(file) for file in files.split()],
        [PurePosixPath(test) for test in tests.split()],
        PurePosixPath(root),
    )
    return {str(path) for path in found}


@pytest.mark.parametrize(
    ("files", "tests", "expected"),
    [
        # Folders of tests by their name, collected or not, with what helps them.
        ("mypkg/a.py tests/test_a.py tests/unit/helpers.py", "tests/test_a.py", {"tests"}),
        ("mypkg/a.py mypkg/tests/test_a.py", "", {"mypkg/tests"}),
        ("src/mypkg/a.py test/a.py", "", {"test"}),
        # By their name where a collected test lives in them, and only there.
        ("benchmarks/common.py benchmarks/g/test_a.py", "benchmarks/g/test_a.py", {"benchmarks"}),
        ("perf_tests/common.py perf_tests/test_a.py", "perf_tests/test_a.py", {"perf_tests"}),
        ("mypkg/benchmarks/common.py", "", set()),
        # Nothing but tests: a folder of the tests, whatever its name.
        ("checks/__init__.py checks/test_a.py", "checks/test_a.py", {"checks"}),
        ("checks/deep/test_a.py checks/helper.py", "checks/deep/test_a.py", {"checks/deep"}),
        # Tests among a package's modules: the rest is the project.
        ("mypkg/a.py mypkg/test_a.py", "mypkg/test_a.py", {"mypkg/test_a.py"}),
        ("src/mypkg/a.py src/test_a.py", "src/test_a.py", {"src/test_a.py"}),
        ("a.py test_a.py bench_a.py", "test_a.py bench_a.py", {"test_a.py", "bench_a.py"}),
        # A module that only looks like a test is the project's: nobody collected it.
        ("mypkg/ab_test.py mypkg/testing/a.py mypkg/latest/a.py", "", set()),
        # A conftest never belongs to the project.
        ("conftest.py mypkg/conftest.py a.py", "", {"conftest.py", "mypkg/conftest.py"}),
        # Configured by the user.
        ("checks/helpers.py checks/test_a.py", "checks checks/test_a.py", {"checks"}),
    ],
)  # fmt: skip
def test_paths_of_the_tests(files: str, tests: str, expected: set[str]) -> None:
    assert found_paths(files, tests) == expected


def test_the_projects_own_folder_may_have_any_name() -> None:
    files = "tests/toy/mypkg/a.py tests/toy/checks/test_a.py tests/toy/checks/b.py"
    test = "tests/toy/checks/test_a.py"
    assert found_paths(files, test, root="tests/toy") == {test}
    assert found_paths(files, test) == {"tests"}


def test_a_folder_covers_everything_below_it() -> None:
    folders = [PurePosixPath("tests"), PurePosixPath("conftest.py")]
    below = [PurePosixPath(at) for at in ("tests", "tests/unit/a.py", "conftest.py")]
    assert all(covers(folders, at) for at in below)
    assert not any(covers(folders, PurePosixPath(at)) for at in ("testsuite/a.py", "a/conftest.py"))
