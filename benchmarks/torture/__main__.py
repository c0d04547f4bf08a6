"""``python -m benchmarks.torture``: the fault matrix; exit code 1 where a bound is broken."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.calibration.table import fill
from benchmarks.torture import bombs, kills, living, mutants
from benchmarks.torture import material as made
from benchmarks.torture.faults import FAULTS
from benchmarks.torture.rows import Row, in_columns, markdown

PAGE = made.ROOT / "docs" / "reliability.md"
MARKS = ("<!-- faults -->\n", "<!-- /faults -->\n")
PARTS = ("mutations", "kills", "lives", "bombs")
MUTANTS, ROUNDS, SEED = 25_000, 32, 1
LEAST = {mutants.PART: 25_000, kills.PART: 200, living.PART: 100, bombs.PART: 100}
"""How many faults of each part a whole run has to have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 1 where a bound is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torture",
        description="Print the fault matrix, and exit with 1 where a bound is broken.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--count", type=int, default=MUTANTS, help="how many files are mutated")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--break",
        dest="broken",
        choices=[*FAULTS],
        help="leave a check out: the harness has to see",
    )
    parser.add_argument(
        "--markdown",
        action="store_true",
        help=f"write what was run into docs/{PAGE.name}, if it holds",
    )
    options = parser.parse_args(arguments)
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    started_s = time.monotonic()
    with _workspace() as folder:
        rows = _rows(folder, parts, options.count, options.seed, options.broken)
    print(f"\n{time.monotonic() - started_s:.0f} s in all")
    missed = list(_missed(rows, whole=parts == PARTS and options.count >= MUTANTS))
    for text in missed:
        print(f"broken: {text}")
    if options.markdown and options.count >= MUTANTS and not missed:
        fill(PAGE, _with_others(markdown(rows)), MARKS)
    return 1 if missed else 0


def _with_others(matrix: str) -> str:
    """Return a matrix with the parts that only the page has: a part can be run by itself."""
    old = PAGE.read_text(encoding="utf-8").partition(MARKS[0])[2].partition(MARKS[1])[0].strip()
    sections = _sections(old) | _sections(matrix)
    head = "".join(matrix.splitlines(keepends=True)[:2])
    return head + "".join(sections[part] for part in LEAST if part in sections)


def _sections(matrix: str) -> dict[str, str]:
    """Return the lines of each part of a matrix, by the part's name."""
    found: dict[str, str] = {}
    part = ""
    for line in matrix.splitlines(keepends=True)[2:]:
        part = line.split("**")[1] if line.startswith("| **") else part
        found[part] = found.get(part, "") + line.rstrip("\n") + "\n"
    return found


@contextmanager
def _workspace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="torture-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rows(
    folder: Path, parts: Sequence[str], count: int, seed: int, broken: str | None
) -> list[Row]:
    made.use_quiet_environment()
    rows: list[Row] = []

    def take(part: str, make: Callable[[], list[Row]]) -> None:
        if part in parts:
            started_s = time.monotonic()
            found = make()
            print("\n".join(in_columns(found)), flush=True)
            print(f"  {time.monotonic() - started_s:.0f} s", flush=True)
            rows.extend(found)

    if "mutations" in parts:
        sets = (made.with_sets(made.GREEN, 1.0), made.with_sets(made.RED, 9.0))
        whole = made.make(folder / "whole", *sets)
        take(
            "mutations",
            lambda: mutants.run(whole, folder / "m", count=count, seed=seed, broken=broken),
        )
    if "kills" in parts or "lives" in parts:
        light = made.make(folder / "light")
        take(
            "kills",
            lambda: kills.run(light, folder / "k", count=ROUNDS, seed=seed, broken=broken),
        )
        take("lives", lambda: living.run(light, folder / "l", broken=broken))
    take("bombs", lambda: bombs.run(folder / "b", broken=broken))
    return rows


def _missed(rows: Sequence[Row], *, whole: bool) -> Iterator[str]:
    for row in rows:
        for text in row.broken:
            yield f"{row.part}: {row.fault}: {text}"
        for example in row.examples:
            yield f"  {example}"
    for part, least in LEAST.items() if whole else ():
        count = sum(row.count for row in rows if row.part == part and row.fault != kills.UNKILLED)
        if count < least:
            yield f"{part}: {count} of {least}"


if __name__ == "__main__":
    sys.exit(main())
