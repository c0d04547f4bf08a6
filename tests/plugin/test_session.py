"""Signals that end a session in order, and those that are left as they are."""

import os
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.plugin.session import signals_as_interrupt

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_it_is_as_ctrl_c_and_only_within(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt, match=number.name), signals_as_interrupt():
        signal.raise_signal(number)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_who_listens_already_goes_on() -> None:
    """As under nohup; the other signal is heard all the same."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_as_interrupt():
            signal.raise_signal(signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_beside_the_main_thread_nothing_is_changed() -> None:
    heard = []

    def work() -> None:
        with signals_as_interrupt():
            heard.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [signal.SIG_DFL]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_forked_process_ends_as_it_would(number: signal.Signals) -> None:
    reading, writing = os.pipe()
    with signals_as_interrupt():
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, b"!")  # Python forgets a signal that comes while it forks
                time.sleep(10)
            finally:
                os._exit(1)
        os.read(reading, 1)
        os.kill(pid, number)
        _, status = os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)
    assert os.waitstatus_to_exitcode(status) == -number


def test_a_baseline_that_breaks_meanwhile_is_a_usage_error(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    breaking = (
        "    for file in pathlib.Path(__file__).parent.glob('pareto_baselines/cpu*/*toy.json'):\n"
        "        file.write_text('{')\n"
    )
    (toy.path / "test_toy.py").write_text(source.replace("    assert True\n", breaking))
    session = toy.run("--pareto")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "test_toy.json: not valid JSON" in session.text
    assert "INTERNALERROR" not in session.text


def test_a_baseline_that_is_a_link_to_itself_is_refused(toy: "Toy") -> None:
    shutil.rmtree(toy.path / "pareto_baselines")
    (toy.path / "pareto_baselines").symlink_to("pareto_baselines")
    session = toy.run("--pareto")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "pareto_baselines: cannot be read (" in session.text
