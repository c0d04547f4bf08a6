"""The pytest plugin: its entry points, which register the marker, hook, fixture and options.

Every pytest run on the machine imports this module: keep it light. Beside it only `command_line`
is imported at once, for the options. Each further module would cost every run about half a
millisecond, so all others are imported when ``--pareto`` is given, or when a test requests the
fixture.
"""

from typing import TYPE_CHECKING

import pytest

from pytest_pareto.plugin.command_line import REPORTS, add_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pareto.measure.meter import Meter
    from pytest_pareto.plugin.fixture import Pareto


MARKER = (
    "pareto(*, front=None, tolerance={metric: limit}, budget={metric: '<= 0.5 s'}, "
    "give_up={metric: bound}, rounds=None, warmup=None, skip_metrics=(), work_only=False, "
    "gate=True): how pytest-pareto measures and judges this test."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command-line options, and an ini key for each that a project may want to fix."""
    add_options(parser)


class HookSpecs:
    """The specification of the hook that pytest-pareto offers to other packages."""

    @pytest.hookspec
    def pytest_pareto_meters(  # type: ignore[empty-body]  # a specification has none
        self, config: pytest.Config
    ) -> "Sequence[Meter]":
        """Return further meters for this session, beside those built in.

        Called once per process, when its session starts. Each meter has a pass of its own, in
        the order in which they are returned. A metric that a built-in meter measures as well
        is replaced: it comes from the returned meter alone. Two returned meters of one metric
        are an error. `pytest_pareto.testing.check_meter` tests a meter of your own.
        """


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hook with which other packages add meters."""
    pluginmanager.add_hookspecs(HookSpecs)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse incompatible options; in a child process, reset the options of its parent.

    Runs before all other plugins. Raises pytest.UsageError.
    """
    if _is_child(config):
        from pytest_pareto.plugin.child import reset_parent_options

        reset_parent_options(config)
    elif _is_active(config) or _is_noise(config):
        refuse_incompatible_plugins(config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and under ``--pareto`` (or for the doctor) the rest of the plugin.

    Raises pytest.UsageError where an option needs ``--pareto`` and it is not given.
    """
    config.addinivalue_line("markers", MARKER)
    if _is_child(config):
        from pytest_pareto.plugin.child import register_child

        register_child(config)
    elif _is_noise(config):
        from pytest_pareto.plugin.noise_runs import register_noise

        register_noise(config)
    elif _is_active(config):
        from pytest_pareto.plugin.session import register_session

        register_session(config)
    else:
        _refuse_options_without_pareto(config)


@pytest.fixture
def pareto(request: pytest.FixtureRequest) -> "Pareto":
    """Measure calls and record scores: ``pareto.measure(fn, ...)``, ``pareto.record(...)``.

    Without ``--pareto`` a measured function is called once and nothing is kept.
    """
    from pytest_pareto.plugin.fixture import make_fixture

    return make_fixture(request)


def _is_active(config: pytest.Config) -> bool:
    """Whether this session measures and judges."""
    return bool(config.getoption("--pareto"))


def _is_child(config: pytest.Config) -> bool:
    """Whether this process is a run that another session has started."""
    return config.getoption("--pareto-child") is not None


def _is_noise(config: pytest.Config) -> bool:
    """Whether `pytest-pareto doctor --noise` has started this session."""
    return config.getoption("--pareto-noise") is not None


def _refuse_options_without_pareto(config: pytest.Config) -> None:
    """Raise pytest.UsageError where an option is given that has no effect without ``--pareto``."""
    names = (
        "update", "baseline", "anchor", "candidate", "runs", "confirm", "against", "missing",
        "inconclusive", "tradeoff", "plot", *REPORTS,
    )  # fmt: skip
    given = [f"--pareto-{name}" for name in names if config.getoption(f"pareto_{name}")]
    if given:
        raise pytest.UsageError(f"{', '.join(given)} has no effect without --pareto; add --pareto")


def refuse_incompatible_plugins(config: pytest.Config) -> None:
    """Raise pytest.UsageError under pytest-xdist or ``--stepwise``.

    Tests that run side by side would measure each other. A failed gate is known only after the
    last test, and stepwise would continue behind it.
    """
    option = config.option
    if getattr(option, "stepwise", False):
        raise pytest.UsageError(
            "--pareto does not work with --stepwise: what fails is known after the last test. "
            "Use --lf to run again what failed."
        )
    workers = getattr(option, "numprocesses", None)
    if workers not in (None, 0) or getattr(option, "tx", None):
        raise pytest.UsageError(
            "--pareto does not work with pytest-xdist yet: tests that run side by side would "
            "measure each other. Add -n0 (or -p no:xdist) for the run with --pareto."
        )
