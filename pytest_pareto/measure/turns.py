"""Turns of two live processes, one of each side, that measure the same cases.

`Turns` is one end of the pair. The two meet where a measurement is noisy: one of them works at a
time, and the other waits for a message, without spinning. `loop.interleaved_rounds` takes the
turns.
"""

import random
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

Place = tuple[int, int, int]
"""The number of a test in the session's order, of a measurement there, and of a meeting in that."""

_END: Place = (sys.maxsize, 0, 0)


class Partner(msgspec.Struct, frozen=True):
    """What one process reports to the other before its rounds.

    ``call_s`` is the typical time of a call. ``cores`` are those that it can use, one at a time;
    empty where its calls keep more than one core busy.
    """

    call_s: float
    cores: tuple[int, ...]


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line between the processes: where one has arrived, or that the turn is the other's.

    With the turn go the times (s) of the calls since the last turn, what a process reports before
    its rounds, and whether it has left the case.
    """

    at: Place | None = None
    times: tuple[float, ...] = ()
    partner: Partner | None = None
    left: bool = False


class Turns:
    """One of two processes that measure by turns; ``connection`` leads to the other one.

    ``first`` is whether this process has the first turn at each case. ``seed`` is common to both.
    ``order`` are the node ids of all tests, in the order in which both run them.
    """

    def __init__(
        self, connection: socket.socket, *, first: bool, seed: int, order: Sequence[str]
    ) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self.first = first
        self._seed = seed
        self._order = {nodeid: number for number, nodeid in enumerate(order)}
        self._counts: dict[str, int] = {}
        self._next: Place = (-1, 0, 0)
        self._place: Place = (-1, 0, 0)
        self._partner_place: Place = (-1, 0, 0)
        self._together = False
        self._partner_left = False
        self._partner: Partner | None = None
        self._unsent: list[float] = []
        self.holds = False

    @property
    def together(self) -> bool:
        """Whether the other process is at the same case, and has not left it."""
        return self._together and not self._partner_left

    def rng(self) -> random.Random:
        """Return a random generator for this case, the same in both processes."""
        return random.Random(f"{self._seed} {self._place}")  # noqa: S311  (an order, no secret)

    def begin(self, nodeid: str) -> None:
        """Begin the next measurement of a test."""
        count = self._counts[nodeid] = self._counts.get(nodeid, -1) + 1
        self._next = (self._order[nodeid], count, 0)

    @contextmanager
    def meeting(self) -> Iterator[None]:
        """Wait for the other process at the next meeting of this measurement; leave it together.

        Where the other process does not have this measurement, it waits until this one is made.
        """
        test, measurement, number = self._next
        self._next = (test, measurement, number + 1)
        self._meet((test, measurement, number))
        try:
            if not self.holds:
                self._wait()
            yield
        finally:
            self._leave()

    def _meet(self, place: Place) -> None:
        self._place, self._partner_left, self._partner = place, False, None
        self._unsent.clear()
        self._send(_Message(at=place))
        while self._partner_place < place:
            self._partner_place = self._receive().at or self._partner_place
        self._together = self._partner_place == place
        self.holds = self.first or not self._together

    def _leave(self) -> None:
        """Give the turn away for good, and wait until the other process has done the same."""
        if not self._together:
            return
        if not self.holds:
            self._wait()
        self._send(_Message(times=tuple(self._unsent), left=True))
        while not self._partner_left:
            self._wait()
        self._together = False

    def exchange(self, own: Partner) -> Partner | None:
        """Begin the rounds: return the report of the other process, None where it makes no rounds.

        The process that comes first waits until the other one has come as well.
        """
        if not self.together:
            return None
        came_second = self._partner is not None
        self._send(_Message(partner=own))
        self.holds = False
        if not came_second:
            self._wait()
        partner, self._partner = self._partner, None
        return partner

    def add(self, wall_s: float) -> None:
        """Add the time of a call to those that go to the other process with the next turn."""
        self._unsent.append(wall_s)

    def hand_over(self) -> None:
        """Give the turn to the other process."""
        self._send(_Message(times=tuple(self._unsent)))
        self._unsent.clear()
        self.holds = False

    def wait_for_times(self) -> tuple[float, ...]:
        """Wait for the turn; return the times (s) of the other process's calls since its last."""
        return self._wait().times

    def close(self) -> None:
        """End: this process meets the other one no more."""
        self._lines.close()
        self._connection.close()

    def _wait(self) -> _Message:
        message = self._receive()
        self.holds = True
        self._partner_left = self._partner_left or message.left
        self._partner = message.partner or self._partner
        return message

    def _send(self, message: _Message) -> None:
        try:
            self._connection.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:  # the other process has ended, which `_receive` finds as well
            return

    def _receive(self) -> _Message:
        try:
            line = self._lines.readline()
        except OSError:
            line = b""
        return msgspec.json.decode(line, type=_Message) if line else _Message(at=_END, left=True)
