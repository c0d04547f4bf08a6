"""The rows of the fault matrix: how often each fault came to what, and the bounds on that."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.torture.oracle import Fate

MOST_S = 1.0
MOST_MB = 200.0
_FORBIDDEN = (Fate.UNNAMED, Fate.SILENT, Fate.TORN, Fate.TRACEBACK)


@dataclass(slots=True)
class Row:
    """One kind of fault: how often it came to what, and the worst time and memory.

    ``examples`` are what must not have been, with what makes it again.
    """

    part: str
    fault: str
    fates: Counter[Fate] = field(default_factory=Counter)
    worst_s: float | None = None
    worst_mb: float | None = None
    examples: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many faults there were."""
        return self.fates.total()

    @property
    def broken(self) -> list[str]:
        """The bounds that do not hold."""
        found = [f"{self.fates[fate]} {fate}" for fate in _FORBIDDEN if self.fates[fate]]
        if self.worst_s is not None and self.worst_s > MOST_S:
            found.append(f"{self.worst_s:.1f} s")
        if self.worst_mb is not None and self.worst_mb > MOST_MB:
            found.append(f"{self.worst_mb:.0f} MB")
        return found

    def add(
        self, fate: Fate, what: str = "", seconds: float | None = None, mb: float | None = None
    ) -> None:
        """Count one fault, with the time and memory that it took where they are bounded."""
        self.fates[fate] += 1
        self.worst_s, self.worst_mb = _worst(self.worst_s, seconds), _worst(self.worst_mb, mb)
        wrong = fate in _FORBIDDEN or (seconds or 0.0) > MOST_S or (mb or 0.0) > MOST_MB
        if wrong and self.fates[fate] <= 3:
            self.examples.append(f"{fate} ({seconds or 0:.2f} s, {mb or 0:.0f} MB): {what}")

    def merge(self, other: "Row") -> None:
        """Add the counts of another row of the same fault."""
        self.fates += other.fates
        self.worst_s = _worst(self.worst_s, other.worst_s)
        self.worst_mb = _worst(self.worst_mb, other.worst_mb)
        self.examples = (self.examples + other.examples)[:20]


def _worst(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def merged(rows: Sequence[Row]) -> list[Row]:
    """Return one row per fault, in the order of their first."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row.part, row.fault)
        if key in found:
            found[key].merge(row)
        else:
            found[key] = row
    return list(found.values())


def peak_mb(*, anew: bool = False) -> float:
    """Return the most memory that this process has had, in MB; ``anew`` from now on.

    Linux alone. The figure of ``getrusage`` begins with that of the parent, and would hide a growth
    that is smaller.
    """
    if anew:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


@dataclass(slots=True)
class Cost:
    """What a piece of work took: seconds of the processor, and MB above what there was."""

    seconds: float = 0.0
    mb: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the processor time and the growth of the peak of memory within the context."""
    cost, started_s, before_mb = Cost(), time.process_time(), peak_mb(anew=True)
    try:
        yield cost
    finally:
        cost.seconds = time.process_time() - started_s
        cost.mb = peak_mb() - before_mb


HEAD = ("fault", "count", "what came of it", "tracebacks", "silent", "torn", "worst s", "worst MB")
_ALLOWED = tuple(fate for fate in Fate if fate not in _FORBIDDEN)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells as text."""
    came = ", ".join(f"{row.fates[fate]:,} {fate}" for fate in _ALLOWED if row.fates[fate])
    silent = row.fates[Fate.SILENT] + row.fates[Fate.UNNAMED]
    bad = (row.fates[Fate.TRACEBACK], silent, row.fates[Fate.TORN])
    worst = tuple(
        "" if each is None else f"{each:.{digits}f}"
        for each, digits in ((row.worst_s, 2), (row.worst_mb, 0))
    )
    return (row.fault, f"{row.count:,}", came, *(f"{count:,}" for count in bad), *worst)


Part = Callable[..., list[Row]]


_LEFT = (0, 2)


def in_columns(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the matrix for a terminal."""
    table = [HEAD, *map(cells, rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(HEAD))]
    part = ""
    for row, line in zip([None, *rows], table, strict=True):
        if row is not None and row.part != part:
            part = row.part
            yield part
        cells_of = [
            text.ljust(width) if at in _LEFT else text.rjust(width)
            for at, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells_of).rstrip()


_RULE = "".join(["|", *("---|" if at in _LEFT else "---:|" for at in range(len(HEAD)))])


def markdown(rows: Sequence[Row]) -> str:
    """Return the matrix as Markdown; each part has a row of its own for its name."""
    lines = [_line(HEAD), _RULE]
    part = ""
    for row in rows:
        if row.part != part:
            part = row.part
            lines.append(_line((f"**{part}**", *("",) * (len(HEAD) - 1))))
        lines.append(_line(cells(row)))
    return "\n".join(lines) + "\n"


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"
