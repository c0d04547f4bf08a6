"""The pytest edge. This module is imported by every pytest run on the machine: keep it light.

It knows the options, the marker and the fixture; everything else is imported when
``--pareto`` is given, or when a test asks for the fixture.
"""

from typing import TYPE_CHECKING

import pytest

from pytest_pareto.plugin.options import add_options, is_active, is_child

if TYPE_CHECKING:
    from pytest_pareto.plugin.fixture import Pareto

MARKER = (
    "pareto(*, front=None, tolerance={metric: limit}, budget={metric: '<= 0.5 s'}, "
    "give_up={metric: bound}, rounds=None, warmup=None, skip_metrics=(), gate=True): "
    "how pytest-pareto measures and judges this test."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--pareto`` options and their ini twins."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hook by which other packages add meters."""
    from pytest_pareto.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse what cannot work, and make a fresh process of ours quiet, before all else."""
    if is_child(config):
        from pytest_pareto.plugin.child import neutralise

        neutralise(config)
    elif is_active(config):
        from pytest_pareto.plugin.options import refuse_companions

        refuse_companions(config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and under ``--pareto`` the rest of the plugin."""
    config.addinivalue_line("markers", MARKER)
    if is_child(config):
        from pytest_pareto.plugin.child import register_child

        register_child(config)
    elif is_active(config):
        from pytest_pareto.plugin.session import register_session

        register_session(config)
    else:
        from pytest_pareto.plugin.options import refuse_orphans

        refuse_orphans(config)


@pytest.fixture
def pareto(request: pytest.FixtureRequest) -> "Pareto":
    """Measure calls and record scores: ``pareto.measure(fn, ...)``, ``pareto.record(...)``.

    Without ``--pareto`` a measured function is called once and nothing is kept.
    """
    from pytest_pareto.plugin.recording import open_recorder

    return open_recorder(request)
