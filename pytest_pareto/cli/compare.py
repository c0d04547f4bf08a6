"""``pytest-pareto compare``: judge two stored results as a session would, without measuring.

`pytest_pareto.cli.sides` opens the sides: baseline folders, JSON result files or git refs.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.cli.console import EXIT_ERROR, terminal_width, write_lines
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.verdict import Judgement, Verdict
from pytest_pareto.report.terminal import render_terminal
from pytest_pareto.report.text import Line, wrap

if TYPE_CHECKING:
    from pytest_pareto.model.session_record import SessionRecord, SessionReport

_COMPARE = """\
Compare two results by the rules of `pytest --pareto`, and measure nothing: A is
the old side, B the new one. Each is the folder of a baseline, a JSON file that
--pareto-json wrote, or a git ref (REF, or REF:path/of/baseline), whose baseline
is read as that commit has it.

A JSON file as B is judged with its own settings; as A it is what
--pareto-update would have accepted of it. Of a baseline as B, the newest
sessions are compared. The file of a --pareto-against session can also stand
alone: its old code is then A, and its new code B."""

_EXAMPLES = """\
examples:
  pytest-pareto compare main.json pull_request.json
  pytest-pareto compare pareto_baselines results.json -v
  pytest-pareto compare v1.0 HEAD --hardware nvidia-h200x1
  pytest-pareto compare v1.0:models/pareto_baselines results.json

exit code: 0, 1 where something regressed, 2 where the sides cannot be compared"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the parser of ``compare``."""
    compare = commands.add_parser(
        "compare",
        help="compare two baselines, JSON results or git refs",
        description=_COMPARE,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    compare.add_argument("old", metavar="A", help="the old side")
    compare.add_argument("new", metavar="B", nargs="?", help="the new side")
    compare.add_argument(
        "--hardware", metavar="KEY", help="the kind of machine, where both sides have several"
    )
    compare.add_argument(
        *("-v", "--verbose"), action="count", default=0, help="every case; -vv: p-values too"
    )
    compare.add_argument(*("-q", "--quiet"), action="store_true", help="one line")
    compare.add_argument("--plot", action="store_true", help="draw the fronts")
    compare.add_argument("--json", metavar="PATH", help="write what was found to a JSON file too")
    compare.set_defaults(run=_compare, refuse=compare.error)


def _compare(options: argparse.Namespace, _: Sequence[str]) -> int:
    report = _judge_interleaved(options) if options.new is None else _judge_two_sides(options)
    _print_report(report, options)
    if options.json:
        _write_json(report, Path(options.json))
    return _exit_code(report.judgement, report.facts.stopped)


def _judge_two_sides(options: argparse.Namespace) -> "SessionReport":
    """Judge side B against side A."""
    # Modules that need scipy are imported where they are used.
    from pytest_pareto.cli.sides import (  # noqa: PLC0415 - see above
        ResultsSide,
        common_machine,
        open_side,
    )
    from pytest_pareto.model.session_record import SessionReport  # noqa: PLC0415 - see above
    from pytest_pareto.pipeline import facts_against, judge_record  # noqa: PLC0415 - see above

    with open_side(options.old) as old, open_side(options.new) as new:
        machine = common_machine(old, new, options.hardware)
        past, record = old.baseline(machine), new.record(machine, old)
        absences = tuple(old.absence_notices()) if isinstance(old, ResultsSide) else ()
        record = replace(record, notices=(*record.notices, *absences))
        judged = judge_record(record, Past(past))
        facts = replace(facts_against(record, past, old.name), new_side=new.name)
        environment = record.runs[-1].environment
        return SessionReport(judged.judgement, facts, environment, record=record)


def _judge_interleaved(options: argparse.Namespace) -> "SessionReport":
    """Judge the new code of an interleaved session against its old code, from one file."""
    from pytest_pareto.model.session_record import SessionReport  # noqa: PLC0415 - as above
    from pytest_pareto.pipeline import judge_record  # noqa: PLC0415 - as above
    from pytest_pareto.results.reader import load_record  # noqa: PLC0415 - as above

    path = Path(options.old)
    if not path.is_file():
        options.refuse("name two sides, A and B; the file of a --pareto-against session holds both")
    content, record = load_record(path)
    if not record.interleaved:
        raise ParetoError(
            f"{options.old} is not of a --pareto-against session, and has one side only: name B too"
        )
    judgement = judge_record(record).judgement
    facts = replace(content.session, new_side=options.old)
    return SessionReport(judgement, facts, record.runs[-1].environment, record=record)


def _print_report(report: "SessionReport", options: argparse.Namespace) -> None:
    assert report.record is not None
    width = terminal_width()
    verbosity = -1 if options.quiet else options.verbose
    lines = render_terminal(
        report.judgement, report.facts, verbosity=verbosity, plot=options.plot, width=width
    )
    if verbosity >= 0:
        lines += [Line(""), *map(Line, wrap(_settings_text(report.record), width, hanging="  "))]
    write_lines(lines)


def _settings_text(record: "SessionRecord") -> str:
    """Render the settings of the judgement, which are those of the new side."""
    policy, spreads = record.policy, record.policy.spreads
    inconclusive = "fail" if policy.fail_inconclusive else "pass"
    return (
        f"judged with: alpha {policy.alpha:g}, trade-offs {policy.trade_offs}, missing "
        f"{policy.missing}{' (in CI)' if policy.ci else ''}, inconclusive {inconclusive}, "
        f"{policy.confirming} confirming runs, session spreads "
        + ", ".join(f"{name} {value:g}" for name, value in asdict(spreads).items())
    )


def _write_json(report: "SessionReport", path: Path) -> None:
    from pytest_pareto.results.writer import render_json  # noqa: PLC0415 - as above

    try:
        path.write_text(render_json(report), encoding="utf-8")
    except OSError as error:
        raise ParetoError(f"--json: {path} cannot be written: {error.strerror}") from error


def _exit_code(judgement: Judgement, stopped: str | None) -> int:
    """Return the exit code, and write the reason for a 2 to standard error.

    0 where nothing regressed, 1 where something did, 2 where not all could be judged.
    """
    failing = [case for case in judgement.cases if case.fails]
    if any(case.verdict is not Verdict.BROKEN for case in failing):
        return 1
    if not judgement.failed and stopped is None:
        return 0
    if not judgement.failed:
        sys.stderr.write(
            f"pytest-pareto compare: nothing is known to have regressed, but the session was cut "
            f"short ({stopped})\n"
        )
        return EXIT_ERROR
    unjudged = f"{plural(len(failing), 'case')} could not be judged"
    what = unjudged if failing else "the session had failed"
    sys.stderr.write(f"pytest-pareto compare: nothing is known to have regressed, but {what}\n")
    return EXIT_ERROR
