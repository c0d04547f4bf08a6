"""Inside a fresh process that runs nothing: which tests are there, and which of them measure."""

from pathlib import Path

import pytest

from pytest_pareto.plugin.child import ChildLine, write_line
from pytest_pareto.plugin.collecting import why_uncollected


class Lister:
    """Collects this folder's tests by the session's own arguments, and tells of them."""

    def __init__(self, config: pytest.Config, lines: Path) -> None:
        self._lines = lines
        self._asked: list[tuple[Path, str]] = []
        if not config.option.pyargs:
            self._ask_for_what_is_there(config)

    def _ask_for_what_is_there(self, config: pytest.Config) -> None:
        # pytest refuses a path that is not there, and a name within a module; older code may
        # have neither. So modules are collected whole, and the names are looked for afterwards.
        root = config.rootpath.resolve()
        for argument in config.args:
            path, _, names = argument.partition("::")
            place = Path(config.invocation_params.dir, path).resolve()
            if place.exists() and place.is_relative_to(root):
                self._asked.append((place, names))
        config.args[:] = dict.fromkeys(str(place) for place, _ in self._asked)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what was not asked for by name, before others choose."""
        items[:] = [item for item in items if self._is_asked(item)]

    def _is_asked(self, item: pytest.Item) -> bool:
        name = item.nodeid.partition("::")[2]
        return not self._asked or any(
            (place == item.path or place in item.path.parents)
            and (not names or name == names or name.startswith((f"{names}[", f"{names}::")))
            for place, names in self._asked
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say what cannot be collected, and so is not listed."""
        if report.failed:
            uncollected = (report.nodeid, why_uncollected(report))
            write_line(self._lines, ChildLine(uncollected=uncollected))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Tell which tests there are, and run none."""
        listed = {item.nodeid: _measures(item) for item in session.items}
        write_line(self._lines, ChildLine(listed=listed))
        return True


def _measures(item: pytest.Item) -> bool:
    """Whether a test asks for the fixture, or says by the marker that it will."""
    if item.get_closest_marker("skip") is not None:
        return False
    fixtures = getattr(item, "fixturenames", ())
    return "pareto" in fixtures or item.get_closest_marker("pareto") is not None
