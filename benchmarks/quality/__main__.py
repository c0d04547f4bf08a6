"""Print the table, write it into docs/quality_calibration.md, and exit with 1 on a missed bound."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.calibration.table import Finished, fill
from benchmarks.quality import fixed, sequential, sets
from benchmarks.quality.table import FULL, HEAD, QUICK, Section, cells, line, markdown

PAGE = Path(__file__).parents[2] / "docs" / "quality_calibration.md"
SECTIONS: tuple[Section, ...] = (*fixed.SECTIONS, *sequential.SECTIONS, *sets.SECTIONS)


def calibrate(sections: Sequence[Section], draws: int) -> Iterator[Finished]:
    """Make the rows of each section, and print them as they come."""
    print(line(HEAD))
    for section in sections:
        print(f"\n{section.title}")
        started, rows = time.perf_counter(), []
        for row in section.rows(draws):
            print(line(cells(row)), flush=True)
            rows.append(row)
        seconds = time.perf_counter() - started
        print(f"  {seconds:.0f} s")
        yield Finished(section.title, tuple(rows), seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few draws, and nothing is written")
    quick = parser.parse_args(arguments).quick
    finished = list(calibrate(SECTIONS, QUICK if quick else FULL))
    missed = [(section.title, row) for section in finished for row in section.rows if row.missed]
    print(f"\n{sum(s.seconds for s in finished):.0f} s in all")
    for title, row in missed:
        print(f"missed: {title}: {row.what}")
    if not quick:
        fill(PAGE, markdown(finished))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
