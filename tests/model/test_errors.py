"""The command that installs a missing library, from the installed package's metadata."""

import re
import tomllib
from pathlib import Path

import pytest

from pytest_pareto.model.errors import pip_install

ROOT = Path(__file__).parents[2]
METADATA = """\
Metadata-Version: 2.4
Name: pytest-pareto
Version: 9
Requires-Dist: numpy>=1.26
Requires-Dist: greenlet>=3.1; extra == 'async'
Requires-Dist: torch>=2.6; extra == 'torch'
Requires-Dist: torch>=2.6; extra == 'test'
Requires-Dist: torchmetrics>=1.6; extra == 'test'
Requires-Dist: zeus>=0.16; extra == 'zeus'
Requires-Dist: zeus[apple]>=0.16; (sys_platform == 'darwin') and extra == 'zeus'
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put metadata of the package with other extras first on the path."""
    folder = tmp_path / "pytest_pareto-9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("platform", "library", "command"),
    [
        ("linux", "greenlet", "pip install 'greenlet>=3.1'"),
        ("linux", "torch", "pip install 'torch>=2.6'"),  # once, and no torchmetrics
        ("linux", "zeus", "pip install 'zeus>=0.16'"),
        ("darwin", "zeus", "pip install 'zeus>=0.16' 'zeus[apple]>=0.16'"),
        ("linux", "pillow", "pip install pillow"),  # metadata from before it was required
    ],
)
def test_the_command_has_the_required_version(
    platform: str, library: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert pip_install(library) == command


def test_without_metadata_any_version_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    assert pip_install("greenlet") == "pip install greenlet"


def test_every_library_of_a_message_is_in_an_extra() -> None:
    """Otherwise the message has no version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    known = {re.split(r"[^A-Za-z0-9._-]", each)[0] for each in extras}
    sources = [*ROOT.glob("pytest_pareto/**/*.py")]
    required = {
        name for file in sources for name in re.findall(r'pip_install\("(.*?)"\)', file.read_text())
    }
    assert required == {"greenlet", "pillow", "torch", "zeus"}
    assert required <= known


def test_no_message_installs_an_extra_of_this_package() -> None:
    """The package is not on PyPI yet: such a message could install code of a stranger."""
    ours = re.compile(r"pytest-pareto\[")
    assert ours.search("pip install 'pytest-pareto[async]'")
    for file in ROOT.glob("pytest_pareto/**/*.py"):
        assert not ours.search(file.read_text(encoding="utf-8")), file
