"""File names: one per test module, unambiguous, never outside the directory."""

from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pareto.baseline import layout
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Scope

STEADY = settings(deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("case_id", "parts"),
    [
        ("tests/test_a.py::test_x", ("tests/test_a.py", "test_x")),
        ("test_a.py::TestB::test_x[a::b]#decode", ("test_a.py", "TestB::test_x[a::b]#decode")),
        ("test_a.py::test_x[/../]", ("test_a.py", "test_x[/../]")),
    ],
)
def test_case_ids_split_at_the_first_colons(case_id: str, parts: tuple[str, str]) -> None:
    assert layout.split_case_id(case_id) == parts
    assert layout.join_case_id(*parts) == case_id


def test_a_case_id_without_a_module_is_an_error() -> None:
    with pytest.raises(ParetoError, match="cannot have a baseline: its id has no '::'"):
        layout.split_case_id("test_a.py")


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("test_a.py", "h/test_a.json"),
        ("tests/unit/test_a.py", "h/tests/unit/test_a.json"),
        ("test_a.v2.py", "h/test_a.v2.py.json"),
        ("docs/guide.md", "h/docs/guide.md.json"),
        ("docs/guide.md.py", "h/docs/guide.md.py.json"),
        ("samples.py", "h/samples.json"),
        ("a.samples.py", "h/a.samples.py.json"),
        ("profile.py", "h/profile.json"),
        ("a.profile.py", "h/a.profile.py.json"),
        ("größe/test_ü.py", "h/größe/test_ü.json"),
    ],
)
def test_a_module_has_one_file_and_the_file_names_its_module(module: str, file: str) -> None:
    path = layout.module_file("h", module)
    assert path == PurePosixPath(file)
    assert layout.is_main_file(path)
    assert layout.module_of(path.relative_to("h")) == module
    samples = Path(layout.samples_file(str(path)))
    profile = Path(layout.profile_file(str(path)))
    for each in (path, samples, profile):
        assert layout.is_samples_file(each) == (each is samples)
        assert layout.is_profile_file(each) == (each is profile)
        assert layout.is_main_file(each) == (each is path)


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        ("../test_a.py", "outside pytest's root directory"),
        ("tests/../../test_a.py", "outside pytest's root directory"),
        ("/etc/test_a.py", "absolute"),
        ("//server/share/test_a.py", "absolute"),
        ("C:/test_a.py", "absolute"),
        ("c:test_a.py", "absolute"),
        (r"C:\test_a.py", "absolute"),
        ("a/b:c/test_a.py", "'\\' or ':'"),
        (r"..\test_a.py", "'\\' or ':'"),
        (r"a\b/test_a.py", "'\\' or ':'"),
        ("a/.. /test_a.py", "ends with '.' or ' '"),
        ("a/.../test_a.py", "ends with '.' or ' '"),
        ("test_a.py ", "ends with '.' or ' '"),
        ("a//test_a.py", "empty part"),
        ("a/./test_a.py", "empty part"),
        ("", "empty part"),
        ("a\0/test_a.py", "cannot hold everywhere"),
        ("a\n/test_a.py", "cannot hold everywhere"),
        ("a\udc80/test_a.py", "cannot hold everywhere"),
        ("Makefile", "needs a suffix"),
        ("a.samples", "other than '.samples' and '.profile'"),
        ("a.profile", "other than '.samples' and '.profile'"),
        (".profile", "other than '.samples' and '.profile'"),
    ],
)
def test_hostile_modules_are_refused(module: str, problem: str) -> None:
    with pytest.raises(ParetoError) as caught:
        layout.module_file("h", module)
    assert f"{module!r} cannot have a baseline" in str(caught.value)
    assert problem in str(caught.value)


@STEADY
@given(st.text(alphabet="./\\: aA~\0\n%é", max_size=12).map(lambda name: name + ".py"))
def test_no_accepted_module_leaves_the_directory_on_any_system(module: str) -> None:
    try:
        file = layout.module_file("h", module)
    except ParetoError:
        return
    for path in (PureWindowsPath("base") / str(file), PurePosixPath("base") / file):
        assert path.parts[:2] == ("base", "h")
        assert ".." not in [part.rstrip(". ") or ".." for part in path.parts]
        assert not path.drive


_NAMES = st.text(alphabet="abs.", min_size=1, max_size=6)
_SUFFIXES = (".samples", ".samples.py", ".profile", ".profile.py")


@STEADY
@given(_NAMES, _NAMES, st.sampled_from([*_SUFFIXES, ".py", ".md", ""]))
def test_two_modules_never_share_a_file(stem: str, other: str, suffix: str) -> None:
    files: dict[str, str] = {}
    for module in {stem + suffix, other, stem + ".py", stem}:
        try:
            main = layout.module_file("h", module)
        except ParetoError:
            continue
        for file in (str(main), layout.samples_file(str(main)), layout.profile_file(str(main))):
            assert file not in files, (module, files[file])
            files[file] = module


def test_environment_keys_follow_content_alone(gpu: Environment) -> None:
    key = layout.environment_key(gpu)
    assert len(key) == 12
    assert int(key, 16)
    turned = replace(gpu, software=dict(reversed(gpu.software.items())), power_limits_w=(700,))
    assert layout.environment_key(turned) == key
    others = [
        replace(gpu, software={"torch": "2.14.0"}),
        replace(gpu, boards=("77aa",)),
        replace(gpu, threads=8),
        replace(gpu, power_limits_w=(600.0,)),
    ]
    assert len({layout.environment_key(other) for other in [gpu, *others]}) == 5


@pytest.mark.parametrize("key", ["", "any", "_env", "..", "a/b", "a.b", "-a", "A100", "a\n"])
def test_a_hardware_key_is_a_plain_folder_name(key: str) -> None:
    with pytest.raises(ParetoError, match="cannot name a hardware folder"):
        layout.hardware_folder(key)
    assert layout.hardware_folder("nvidia-h200x1") == "nvidia-h200x1"


def test_metrics_of_every_machine_have_a_folder_of_their_own() -> None:
    assert layout.belongs(Scope.ANYWHERE, "any")
    assert not layout.belongs(Scope.ANYWHERE, "nvidia-h200x1")
    assert not layout.belongs(Scope.GPU, "any")
    assert layout.belongs(Scope.HOST, "nvidia-h200x1")
    assert layout.environment_file("ab12") == PurePosixPath("_env/ab12.json")


@pytest.mark.parametrize(
    ("folder", "results", "machine"),
    [
        ("nvidia-h200x1", True, True),
        (layout.ANYWHERE_FOLDER, True, False),
        (layout.ENVIRONMENT_FOLDER, False, False),
        (".git", False, False),
    ],
)
def test_machine_folders(folder: str, results: bool, machine: bool) -> None:
    assert layout.is_results_folder(folder) == results
    assert layout.is_machine_folder(folder) == machine
