"""A command that prints a table, puts it into its page, and fails where a bound is missed."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from benchmarks.calibration.rows import Row
from benchmarks.calibration.table import Finished, Layout, fill

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)


class Part(Protocol[E_contra]):
    """A section of a table, whose rows are made with so much effort."""

    @property
    def title(self) -> str:
        """What it is about."""

    @property
    def rows(self) -> Callable[[E_contra], Iterator[Row]]:
        """Make its rows."""


@dataclass(frozen=True, slots=True)
class Command(Generic[E]):
    """``python -m <name>``: the table of a ``page``, made with ``full`` effort, or ``quick``."""

    name: str
    page: Path
    layout: Layout
    full: E
    quick: E

    def run(self, sections: Sequence[Part[E]], arguments: Sequence[str] | None) -> int:
        """Return the exit code: 1 where a bound is missed. With ``--quick`` nothing is written."""
        parser = argparse.ArgumentParser(
            prog=f"python -m {self.name}",
            description=f"Print the table, write it into docs/{self.page.name}, and exit with 1 "
            "where a bound is missed.",
        )
        parser.add_argument("--quick", action="store_true", help="few draws, nothing is written")
        quick = parser.parse_args(arguments).quick
        finished = list(self._made(sections, self.quick if quick else self.full))
        missed = [(done.title, row) for done in finished for row in done.rows if row.missed]
        print(f"\n{sum(done.seconds for done in finished):.0f} s in all")
        for title, row in missed:
            print(f"missed: {title}: {row.what}")
        if not quick:
            fill(self.page, self.layout.markdown(finished))
        return 1 if missed else 0

    def _made(self, sections: Sequence[Part[E]], effort: E) -> Iterator[Finished]:
        """Make the rows of each section, and print them as they come."""
        print(self.layout.line(self.layout.head))
        for section in sections:
            print(f"\n{section.title}")
            started, rows = time.perf_counter(), []
            for row in section.rows(effort):
                print(self.layout.line(self.layout.cells(row)), flush=True)
                rows.append(row)
            seconds = time.perf_counter() - started
            print(f"  {seconds:.0f} s")
            yield Finished(section.title, tuple(rows), seconds)
