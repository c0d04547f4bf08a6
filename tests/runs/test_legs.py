"""The code that a leg's processes import, in every layout, and its verification."""

import importlib.util
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

import pytest_pareto
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Side, prepare_leg
from tests.runs.conftest import Compare, Repository

OWN = {Side.REF: "old", Side.CANDIDATE: "new"}

SETUPTOOLS_FINDER = """
import sys
from importlib.machinery import PathFinder, all_suffixes
from importlib.util import spec_from_file_location
from itertools import chain
from pathlib import Path

MAPPING = {mapping}

class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            return cls._find_spec(fullname, Path(MAPPING[fullname]))
        parent, _, child = fullname.rpartition(".")
        if parent and parent in MAPPING:
            return PathFinder.find_spec(fullname, path=[MAPPING[parent]])
        return None

    @classmethod
    def _find_spec(cls, fullname, candidate_path):
        init = candidate_path / "__init__.py"
        candidates = (candidate_path.with_suffix(x) for x in all_suffixes())
        for candidate in chain([init], candidates):
            if candidate.exists():
                return spec_from_file_location(fullname, candidate)
        return None

def install():
    if not any(finder == _EditableFinder for finder in sys.meta_path):
        sys.meta_path.append(_EditableFinder)
"""
FRONT_FINDER = """
import sys
from importlib.util import spec_from_file_location

FILES = {files}

class RedirectingFinder:
    def find_spec(self, fullname, path=None, target=None):
        if fullname in FILES:
            file = FILES[fullname]
            package = [file.rpartition("/")[0]] if file.endswith("__init__.py") else None
            return spec_from_file_location(fullname, file, submodule_search_locations=package)
        return None

sys.meta_path.insert(0, RedirectingFinder())
"""
SHOW = """
import mypkg.core
tell(mypkg.core.VALUE)
grandchild = "import mypkg.core; print(mypkg.core.VALUE)"
tell(subprocess.run([sys.executable, "-c", grandchild], stdout=-1, text=True).stdout.strip())
"""


@dataclass(frozen=True)
class Layout:
    """A project layout, and how it is installed in place."""

    folder: str
    python: str = sys.executable
    path: list[str] = field(default_factory=list)
    modules: Mapping[str, ModuleType] = field(default_factory=dict)


def install_in_place(tmp_path: Path, repository: Repository, kind: str, folder: str) -> Layout:
    """Make an environment with the files that an editable install leaves in it."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    site = next((tmp_path / "env/lib").glob("python*/site-packages"))
    package = repository.path / folder / "mypkg"
    if kind == "pth":
        (site / "toy.pth").write_text(f"{package.parent}\n")
    elif kind == "finder":
        text = SETUPTOOLS_FINDER.replace("{mapping}", repr({"mypkg": str(package)}))
        (site / "__editable___toy_finder.py").write_text(text)
        install = "import __editable___toy_finder; __editable___toy_finder.install()\n"
        (site / "__editable__.toy.pth").write_text(install)
    else:
        files = {"mypkg": f"{package}/__init__.py", "mypkg.core": f"{package}/core.py"}
        (site / "_toy_editable.py").write_text(FRONT_FINDER.replace("{files}", repr(files)))
        (site / "_toy_editable.pth").write_text("import _toy_editable\n")
    python = str(tmp_path / "env/bin/python")
    ask = [python, "-c", "import sys, json; print(json.dumps(sys.path))"]
    path = json.loads(subprocess.check_output(ask, cwd=tmp_path))
    return Layout(folder, python, path, dict(load_finder(site)))


def load_finder(site: Path) -> dict[str, ModuleType]:
    """Load the modules that this interpreter would have with the project installed in it."""
    file = site / "__editable___toy_finder.py"
    if not file.exists():
        return {}
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {file.stem: module}


LEAKING = ("flat", "src pth", "python finder", "src front", "flat front")
"""Where the candidate's code is found by itself; its src that is not installed is not."""


@pytest.fixture(params=["src", *LEAKING])
def layout(request: pytest.FixtureRequest, repository: Repository, tmp_path: Path) -> Layout:
    name, _, kind = request.param.partition(" ")
    folder = "." if name == "flat" else name
    if folder != ".":
        repository.git("rm", "-rq", "mypkg")
        for value in ("old", "new"):
            core = f"VALUE = '{value}'"
            repository.commit({f"{folder}/mypkg/__init__.py": "", f"{folder}/mypkg/core.py": core})
    return install_in_place(tmp_path, repository, kind, folder) if kind else Layout(folder)


def test_each_leg_imports_its_own_code(layout: Layout, compare: Compare) -> None:
    legs = compare(path=layout.path, modules=layout.modules)
    for side, own in OWN.items():
        told, proved = legs.run(side, SHOW, layout.python)
        assert told == [own, own]
        assert proved == {"mypkg", "mypkg.core"}


@pytest.mark.parametrize("layout", LEAKING, indirect=True)
def test_without_the_finder_the_other_code_is_imported_and_detected(
    layout: Layout, compare: Compare
) -> None:
    """The control: in a layout that needs no finder nothing would have been shown."""
    legs = compare(path=layout.path, modules=layout.modules)
    disable = "sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != 'LegFinder']\n"
    if layout.path and layout.folder != ".":
        disable += "sys.path[:] = [p for p in sys.path if 'pytest-pareto-ref' not in p]\n"
    script = disable + "import mypkg.core; assert mypkg.core.VALUE == 'new'"
    with pytest.raises(ParetoError, match="the ref leg did not measure its own code") as told:
        legs.run(Side.REF, script, layout.python)
    assert f"mypkg.core came from {legs.legs[Side.CANDIDATE].tree.top / layout.folder}" in str(
        told.value
    )


# Processes that a test starts


POOLS = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from mypkg.core import value
if __name__ == "__main__":
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(1, get_context(method)) as pool:
            tell(pool.submit(value).result())
"""


def test_pools_import_the_legs_code(repository: Repository, compare: Compare) -> None:
    for value in ("old", "new"):
        repository.commit({"mypkg/core.py": f"def value():\n    return '{value}'"})
    legs = compare()
    for side, own in OWN.items():
        assert legs.run(side, POOLS)[0] == [own, own]


def test_processes_that_exit_abruptly_have_logged_their_imports(compare: Compare) -> None:
    script = """
if os.fork() == 0:
    import mypkg.core
    os._exit(0)
os.wait()
"""
    assert compare().run(Side.REF, script)[1] == {"mypkg", "mypkg.core"}


@pytest.mark.parametrize("end", ["os._exit(0)", "from os import _exit; _exit(status=0)"])
def test_a_process_that_exits_abruptly_has_logged_its_escapes(
    repository: Repository, compare: Compare, end: str
) -> None:
    script = f"""
import importlib.util, mypkg
spec = importlib.util.spec_from_file_location("mypkg.core", {str(repository.path)!r} + WHERE)
module = sys.modules["mypkg.core"] = importlib.util.module_from_spec(spec)
{end}
"""
    legs, where = compare(), "WHERE = '/mypkg/core.py'\n"
    assert "mypkg.core" in legs.run(Side.CANDIDATE, where + script)[1]
    with pytest.raises(ParetoError, match=r"mypkg\.core came from .*/repository/"):
        legs.run(Side.REF, where + script)


def test_a_process_without_a_logged_end_proves_nothing(compare: Compare) -> None:
    """A C function ends it, below Python: its last log lines are missing."""
    script = "import ctypes, mypkg; ctypes.CDLL(None)._exit(0)"
    with pytest.raises(ParetoError, match=r"the ref leg's process ended without noting"):
        compare().run(Side.REF, script)


def test_a_process_without_the_finder_proves_nothing(compare: Compare) -> None:
    """Its child has the finder, but the child is not the measured process."""
    leave = "os.execv(sys.executable, [sys.executable, '-I', '-c', 'pass'])"
    script = f"subprocess.run([sys.executable, '-c', 'import mypkg'])\n{leave}"
    with pytest.raises(ParetoError, match=r"the ref leg's process ended without noting"):
        compare().run(Side.REF, script)


def test_a_forked_process_logs_its_own_imports(compare: Compare) -> None:
    script = """
import mypkg
if os.fork() == 0:
    import types
    module = sys.modules["mypkg.core"] = types.ModuleType("mypkg.core")
    module.__file__ = "/elsewhere/mypkg/core.py"
    os._exit(0)
os.wait()
"""
    with pytest.raises(ParetoError, match=r"mypkg\.core came from /elsewhere/mypkg/core\.py"):
        compare().run(Side.REF, script)


def test_a_module_may_be_run(repository: Repository, compare: Compare) -> None:
    show = "import sys\nprint({!r}, file=open(sys.argv[-1], 'a'))"
    for value in ("old", "new"):
        repository.commit({"mypkg/__main__.py": show.format(value)})
    legs = compare()
    for side, own in OWN.items():
        told, proved = legs.run(side, ["-m", "mypkg"])
        assert told == [own]
        assert proved == {"mypkg", "mypkg.__main__"}


def test_a_script_run_by_path_is_detected(repository: Repository, compare: Compare) -> None:
    """It is the candidate's file on both legs, which the finder cannot change."""
    repository.commit({"script.py": "import mypkg.core"})
    repository.commit({})
    legs = compare()
    script = "subprocess.run([sys.executable, 'script.py'], check=True)"
    assert "mypkg.core" in legs.run(Side.CANDIDATE, script)[1]
    with pytest.raises(ParetoError, match=r"__main__ came from .*/script\.py and .*`python -m`"):
        legs.run(Side.REF, script)


LOADED = """
import importlib.util
spec = importlib.util.spec_from_file_location("train_script", TRAIN)
importlib.util.module_from_spec(spec)
spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
BY_PATH = {
    "run_path": "import runpy; runpy.run_path(TRAIN)",
    "exec_module": LOADED,
    "compile": "exec(compile(open(TRAIN).read(), 'train.py', 'exec'))",
    "forked": "if os.fork() == 0:\n    import runpy; runpy.run_path(TRAIN); os._exit(0)\nos.wait()",
}


@pytest.mark.parametrize("how", BY_PATH)
def test_a_file_loaded_by_path_is_detected(
    repository: Repository, compare: Compare, how: str
) -> None:
    """It leaves no module in the process, and both legs would measure the candidate's code."""
    repository.commit({"train.py": "VALUE = 'old'"})
    repository.commit({"train.py": "VALUE = 'new'"})
    legs = compare()
    train = repository.path / "train.py"
    script = f"import mypkg\nTRAIN = {str(train)!r}\n{BY_PATH[how]}"
    assert legs.run(Side.CANDIDATE, script, is_watched=True)[1] == {"mypkg"}
    with pytest.raises(ParetoError, match=f": train.py came from {train} and not"):
        legs.run(Side.REF, script, is_watched=True)


def test_other_files_run_by_path_are_ignored(repository: Repository, compare: Compare) -> None:
    """Tests, an environment in the tree, its scripts, and generated code with false names."""
    repository.commit({"tests/test_a.py": "", "tests/ruler.py": "", ".gitignore": "env\n.venv\n"})
    repository.commit({})
    installed = ["env/pyvenv.cfg", "env/bin/program", ".venv/lib/python3/site-packages/a.py"]
    repository.write(dict.fromkeys(installed, ""))
    files = [repository.path / at for at in ("tests/ruler.py", *installed[1:])]
    script = f"""
import runpy, mypkg.core
for file in {list(map(str, files))!r}:
    runpy.run_path(file)
for name in ("", "<string>", "generated", "mypkg", "mypkg/generated.py"):
    exec(compile("", name, "exec"))
runpy.run_path(mypkg.core.__file__)
os.mkdir(sys.argv[-1] + "d"); os.chdir(sys.argv[-1] + "d"); os.rmdir(sys.argv[-1] + "d")
exec(compile("", "a name", "exec"))
"""
    assert "mypkg.core" in compare().run(Side.REF, script, is_watched=True)[1]


def test_an_extension_module_loaded_by_path_is_detected(
    repository: Repository, compare: Compare
) -> None:
    import _json  # whichever this Python has as a file

    binary = repository.path / "_json.so"
    if not getattr(_json, "__file__", None):
        pytest.skip("this Python has all its extension modules inside")
    shutil.copy(_json.__file__, binary)
    script = f"""
import importlib.util, mypkg
spec = importlib.util.spec_from_file_location("_json", {str(binary)!r})
importlib.util.module_from_spec(spec)
sys.modules.pop("_json")
"""
    with pytest.raises(ParetoError, match=f"_json.so came from {binary}"):
        compare().run(Side.REF, script, is_watched=True)


def test_a_measured_run_has_no_audit_hook(compare: Compare) -> None:
    """An audit hook cannot be removed, and makes every `id()` several times slower."""
    script = """
import gc, mypkg
tell(any(getattr(f, "__name__", "") == "on_audit_event" for f in gc.get_objects()))
"""
    legs = compare()
    assert legs.run(Side.REF, script)[0] == ["False"]
    assert legs.run(Side.REF, script, is_watched=True)[0] == ["True"]


def test_an_isolated_process_proves_nothing(compare: Compare) -> None:
    script = "subprocess.run([sys.executable, '-I', '-c', 'import mypkg'])"
    with pytest.raises(ParetoError, match=r"never imported the project.*: mypkg.*`python -I`"):
        compare().run(Side.REF, script)


# What only one side has


def test_a_module_that_the_ref_lacks_is_not_found_in_the_candidate(
    repository: Repository, compare: Compare, tmp_path: Path
) -> None:
    """Setuptools' finder offers the children of its packages, and a flat folder offers all."""
    repository.commit({})
    repository.commit({"mypkg/added.py": "", "toplevel.py": "", "mypkg/deep/__init__.py": ""})
    layout = install_in_place(tmp_path, repository, "finder", ".")
    legs = compare(path=layout.path, modules=layout.modules)
    script = """
import mypkg
for name in ("mypkg.added", "mypkg.deep", "toplevel"):
    try:
        __import__(name)
        tell("found")
    except ModuleNotFoundError as error:
        tell(error.name, "in", error.msg.split()[-8] if "not of" in error.msg else error.msg)
"""
    assert legs.run(Side.CANDIDATE, script, layout.python)[0] == ["found"] * 3
    told, proved = legs.run(Side.REF, script, layout.python)
    assert [line.split()[0] for line in told] == ["mypkg.added", "mypkg.deep", "toplevel"]
    assert proved == {"mypkg"}


def test_a_package_that_was_a_namespace_is_imported_as_such(
    repository: Repository, compare: Compare
) -> None:
    repository.git("rm", "--quiet", "mypkg/__init__.py")
    repository.commit({"mypkg/core.py": "VALUE = 'old'"})
    repository.commit({"mypkg/__init__.py": "", "mypkg/core.py": "VALUE = 'new'"})
    legs = compare()
    for side, own in OWN.items():
        assert legs.run(side, SHOW)[0] == [own, own]


def test_a_namespace_is_shared_with_other_distributions(
    repository: Repository, compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("old", "new"):
        repository.commit({"src/space/mine/__init__.py": f"VALUE = '{value}'"})
    theirs = tmp_path / "theirs/space/theirs.py"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("VALUE = 'theirs'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "theirs"))
    script = "import space.mine, space.theirs; tell(space.mine.VALUE, space.theirs.VALUE)"
    legs = compare()
    for side, own in OWN.items():
        told, proved = legs.run(side, script)
        assert told == [f"{own} theirs"]
        assert proved == {"space.mine"}


def test_a_module_without_a_file_and_one_without_a_source_are_imported(
    repository: Repository, compare: Compare
) -> None:
    made = "import sys\nsys.modules['mypkg.thing'] = object()\n"
    repository.commit({"mypkg/core.py": "VALUE = 'old'", "mypkg/made.py": made})
    repository.commit({"mypkg/core.py": "VALUE = 'new'"})
    script = """
import py_compile, pathlib, importlib.machinery, importlib.util, types
import mypkg
folder = pathlib.Path(mypkg.__file__).parent
py_compile.compile(folder / "core.py", folder / "compiled.pyc")
import mypkg.compiled, mypkg.made
class Maker:
    def find_spec(self, name, path=None, target=None):
        if name == "mypkg.virtual":
            return importlib.util.spec_from_loader(name, self)
    def create_module(self, spec): return None
    def exec_module(self, module): pass
sys.meta_path.append(Maker())
import mypkg.virtual
sys.modules["mypkg.nothing"] = None
sys.modules["mypkg.odd"] = types.ModuleType("mypkg.odd")
sys.modules["mypkg.odd"].__path__ = 3
sys.modules["mypkg.vendored"] = json
tell(mypkg.compiled.VALUE)
"""
    told, proved = compare().run(Side.REF, script)
    assert told == ["old"]
    assert proved == {"mypkg", "mypkg.compiled", "mypkg.made", "mypkg.virtual"}


def test_a_module_linked_into_a_leg_belongs_to_it(repository: Repository, compare: Compare) -> None:
    repository.commit({".gitignore": "_version.py"})
    repository.commit({})
    repository.write({"mypkg/_version.py": "VERSION = 1"})
    legs = compare(links=["mypkg/_version.py"])
    assert "mypkg._version" in legs.run(Side.REF, "import mypkg._version")[1]


def test_an_initialised_submodule_belongs_to_the_leg(
    submodule: Repository, compare: Compare
) -> None:
    """The tests put its folder on the path."""
    library = submodule.path / "third_party/library"
    legs = compare(path=[str(library)])
    worktree = Repository(legs.legs[Side.REF].tree.top)
    script = f"sys.path.insert(0, {str(library)!r}); import libpkg.core; tell(libpkg.core.VALUE)"
    with pytest.raises(ParetoError, match="No module named 'libpkg' in"):
        legs.run(Side.REF, script)  # not yet
    worktree.git("submodule", "--quiet", "update", "--init")
    for side, own in OWN.items():
        told, proved = legs.run(side, script)
        assert told == [own]
        assert proved == {"libpkg", "libpkg.core"}


# Company


def test_a_hook_before_all_finders_gets_the_legs_module(compare: Compare) -> None:
    """Import hooks of type checkers and of pytest do so, through the path finder."""
    hook = """
from importlib.machinery import PathFinder
class Hook:
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if name == "mypkg.core":
            tell("hooked", spec.origin.endswith("core.py"))
        return spec
sys.meta_path.insert(0, Hook())
sys.meta_path.insert(-99, Hook())
"""
    told, proved = compare().run(Side.REF, hook + "import mypkg.core; tell(mypkg.core.VALUE)")
    assert told == ["hooked True", "old"]
    assert "mypkg.core" in proved


def test_a_package_that_extends_its_path_finds_its_own(
    repository: Repository, compare: Compare
) -> None:
    """`pkgutil.extend_path` does so: it adds every folder of that name to the package."""
    other = repository.path / "mypkg"
    script = f"import mypkg; mypkg.__path__.insert(0, {str(other)!r})\n"
    assert compare().run(Side.REF, script + SHOW)[0] == ["old", "old"]


def test_modules_imported_at_startup_are_detected(
    repository: Repository, compare: Compare, tmp_path: Path
) -> None:
    """A .pth file imports it before this finder is installed, with another finder in front."""
    layout = install_in_place(tmp_path, repository, "front", ".")
    site = next((tmp_path / "env/lib").glob("python*/site-packages"))
    (site / "zz.pth").write_text("import mypkg.core\n")
    legs = compare()
    assert "mypkg.core" in legs.run(Side.CANDIDATE, "", layout.python)[1]
    with pytest.raises(ParetoError, match=r"\.pth file") as told:
        legs.run(Side.REF, "", layout.python)
    assert f"mypkg.core came from {repository.path}" in str(told.value)


def test_an_installed_copy_is_not_the_legs_code(
    repository: Repository, compare: Compare, tmp_path: Path
) -> None:
    """It is loaded by hand, so the finder is not called."""
    copy = tmp_path / "site-packages/mypkg/core.py"
    copy.parent.mkdir(parents=True)
    copy.write_text("")
    script = f"""
import importlib.util, mypkg
spec = importlib.util.spec_from_file_location("mypkg.core", {str(copy)!r})
sys.modules["mypkg.core"] = importlib.util.module_from_spec(spec)
"""
    for side in Side:
        with pytest.raises(ParetoError, match=f"the {side} leg .*: mypkg.core came from {copy}"):
            compare().run(side, script)


def test_an_environment_in_the_repository_is_not_project_code(
    repository: Repository, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = ".venv/lib/python3/site-packages"
    repository.write({".gitignore": ".venv", f"{site}/stranger.py": ""})
    monkeypatch.setenv("PYTHONPATH", str(repository.path / site))
    compare().run(Side.REF, "import mypkg, stranger")


@pytest.mark.parametrize("last", ["", "raise RuntimeError('mine')"])
def test_the_users_own_sitecustomize_runs(
    compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    own = tmp_path / "own/sitecustomize.py"
    own.parent.mkdir()
    own.write_text(f"import os\nos.environ['OWN'] = 'ran'\n{last}\n")
    monkeypatch.setenv("PYTHONPATH", str(own.parent))
    script = "import mypkg.core; tell(os.environ['OWN'], mypkg.core.VALUE)"
    show = "" if last else "import sitecustomize; tell(sitecustomize.__file__)"
    told, _ = compare().run(Side.REF, script + "\n" + show)
    assert told == ["ran old", *([] if last else [str(own)])]


def test_the_plugin_is_pinned(repository: Repository, compare: Compare) -> None:
    """In the plugin's own repository, with a flat layout, PYTHONPATH would import the ref's."""
    repository.commit({"pytest_pareto/__init__.py": "raise RuntimeError('the old plugin')"})
    repository.commit({"pytest_pareto/__init__.py": "raise RuntimeError('the new plugin')"})
    legs = compare()
    for side in Side:
        script = "import mypkg, pytest_pareto.runs; tell(pytest_pareto.__file__)"
        told, proved = legs.run(side, script)
        assert told == [pytest_pareto.__file__]
        assert proved == {"mypkg"}


def test_git_in_a_test_uses_its_own_folder(
    compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    legs = compare()
    monkeypatch.setenv("GIT_DIR", "elsewhere")
    monkeypatch.setenv("KEPT", "kept")
    environment = prepare_leg(legs.legs[Side.REF], tmp_path / "run").environment
    assert "GIT_DIR" not in environment
    assert environment["KEPT"] == "kept"


# Where a leg is started


def test_both_legs_start_in_the_users_folder(
    repository: Repository, compare: Compare, tmp_path: Path
) -> None:
    repository.commit({"sub/a.txt": ""})
    repository.commit({"added/a.txt": ""})
    for cwd in (None, repository.path / "sub", repository.path / "added", tmp_path):
        legs = compare(cwd=cwd).legs
        assert [legs[side].cwd for side in Side] == [cwd or repository.path] * 2
    legs = compare(cwd=repository.path / "sub", tests_of=Side.REF).legs
    assert [legs[side].cwd for side in Side] == [legs[Side.REF].tree.top / "sub"] * 2
    with pytest.raises(ParetoError, match=r"no folder added at the ref .*_tests = candidate"):
        compare(cwd=repository.path / "added", tests_of=Side.REF)
