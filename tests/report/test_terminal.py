"""Golden tests of whole terminal reports. Read a text aloud before changing it here."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import (
    EVENT_TIME,
    FLOPS,
    HOST_COPIES,
    KERNELS,
    LATENCY,
    PEAK_MEMORY,
)
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Failure, Judgement, MetricResult, Verdict
from pytest_pareto.report.terminal import render_terminal
from pytest_pareto.report.text import Line, Tone

Run = tuple[Judgement, SessionFacts]


def shown(run: Run, *, verbosity: int = 0, width: int = 80, plot: bool = False) -> str:
    lines = render_terminal(*run, verbosity=verbosity, plot=plot, width=width)
    return "\n".join(line.text for line in lines)


def golden(text: str) -> str:
    return dedent(text).strip("\n")


def only(run: Run, *names: str) -> Run:
    judgement, facts = run
    cases = tuple(c for c in judgement.cases if c.case_id.endswith(names))
    return replace(judgement, cases=cases), replace(facts, differences=(), assumptions=())


def test_failing_run_at_80_columns(failing_run: Run) -> None:
    assert shown(failing_run) == golden(
        """
        FAIL  2 of 9 cases regressed · 1 traded · 1 inconclusive · 5 unchanged
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s · unconfirmed: judged on this session's runs alone

                         baseline →    now    change (90 %)         limit  outcome
        test_sd.py::test_generate
          [int8-20]                                                       LOST ITS PLACE
            device_time     231.4 →  246.0 ms +6.3 %  [+6.2, +6.4]    1 %  WORSE
            latency         402.0 →  431.0 ms +7.2 %  [+4.9, +9.6]    5 %  inconclusive
              minimum detectable regression 12 % · adjusted by the host reference
            unchanged: label_accuracy
            fails: device_time got worse beyond its limit
            fails: it lost its place on the front: now dominated by [fp16-20]
          [cached-20]                                                      DOMINATED
            label_accuracy 0.9580 → 0.9310    −0.027  [−.040, −.014] 0.01  WORSE
              400 pairs
              worst samples: p0173, p0311, p0042
            unchanged: latency
            fails: label_accuracy got worse beyond its limit
          [fp16-10]                                                        trade-off
            label_accuracy 0.9410 → 0.9240    −0.017  [−.022, −.012] 0.01  WORSE
              400 pairs · a trade may give up 0.03
            latency         212.0 →  188.0 ms −11.0 % [−13.0, −9.0]   5 %  BETTER
            note: label_accuracy traded for latency, within its bound
            to accept:
              pytest 'test_sd.py::test_generate[fp16-10]' --pareto --pareto-update

        1 case inconclusive in latency: minimum detectable regression 19 % (tolerance
          5 %)

        minimum detectable regression in 5 unchanged cases: latency 9-13 %,
          peak_memory 1 %, label_accuracy 0.02
        torch 2.12.0 → 2.13.0 since the baseline

        to look closer:             pytest --lf --pareto --pareto-runs=5 -v
        to accept all that failed:  pytest --lf --pareto --pareto-update
        """
    )


def test_failing_run_at_100_columns(failing_run: Run) -> None:
    assert shown(only(failing_run, "[int8-20]", "[fp16-10]"), width=100) == golden(
        """
        FAIL  1 of 2 cases regressed · 1 traded
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s · unconfirmed: judged on this session's runs alone

                          baseline →    now     change (90 %)          limit  outcome
        test_sd.py::test_generate
          [int8-20]                                                           LOST ITS PLACE
            device_time      231.4 →  246.0 ms  +6.3 %  [+6.2, +6.4]     1 %  WORSE
            latency          402.0 →  431.0 ms  +7.2 %  [+4.9, +9.6]     5 %  inconclusive
              minimum detectable regression 12 % · adjusted by the host reference
            unchanged: label_accuracy
            fails: device_time got worse beyond its limit
            fails: it lost its place on the front: now dominated by [fp16-20]
          [fp16-10]                                                           trade-off
            label_accuracy  0.9410 → 0.9240     −0.017  [−.022, −.012]  0.01  WORSE
              400 pairs · a trade may give up 0.03
            latency          212.0 →  188.0 ms  −11.0 % [−13.0, −9.0]    5 %  BETTER
            note: label_accuracy traded for latency, within its bound
            to accept:  pytest 'test_sd.py::test_generate[fp16-10]' --pareto --pareto-update

        to look closer:  pytest 'test_sd.py::test_generate[int8-20]' --pareto --pareto-runs=5 -v
        to accept:       pytest 'test_sd.py::test_generate[int8-20]' --pareto --pareto-update
        """
    )


def test_narrow_terminal_moves_columns_below_their_rows(failing_run: Run) -> None:
    assert shown(only(failing_run, "[fp16-10]"), width=60) == golden(
        r"""
        PASS  1 case traded
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10
              runs)
              1 run in 212 s
              unconfirmed: judged on this session's runs alone

                         baseline →    now    change limit  outcome
        test_sd.py::test_generate
          [fp16-10]                                        trade-off
            label_accuracy 0.9410 → 0.9240    −0.017  0.01  WORSE
              90 % interval [−.022, −.012] · 400 pairs
              a trade may give up 0.03
            latency         212.0 →  188.0 ms −11.0 %  5 %  BETTER
              90 % interval [−13.0, −9.0]
            note: label_accuracy traded for latency, within its
              bound
            to accept:
              pytest 'test_sd.py::test_generate[fp16-10]' --pareto \
                --pareto-update
        """
    )


def test_verbose_adds_resolution_first_call_notes_and_position(failing_run: Run) -> None:
    assert shown(only(failing_run, "[ddim-4]", "[q1]"), verbosity=1) == golden(
        """
        PASS  2 cases · 1 inconclusive · 1 unchanged
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s

                         baseline →    now     change (90 %)        limit  outcome
        test_sd.py::test_generate
          [ddim-4]                                                         inconclusive
            latency         61.00 →  64.00 ms  +4.8 % [−6, +17]       5 %  inconclusive
              minimum detectable regression 19 % · first call 12.31 s
              the host drifts between runs
            label_accuracy 0.9620 → 0.9610     −0.001 [−.009, +.007] 0.01  unchanged
              400 pairs · minimum detectable regression 0.02
            Pareto position kept · on the front
          [q1]                                                             unchanged
            latency         442.2 →  444.4 ms  +0.5 % [−2.0, +3.0]    5 %  unchanged
              minimum detectable regression 9.9 %
            peak_memory     3.912 →  3.912 GiB 0 %                    1 %  unchanged
              minimum detectable regression 1 %
            label_accuracy 0.9620 → 0.9610     −0.001 [−.009, +.007] 0.01  unchanged
              400 pairs · minimum detectable regression 0.02
            Pareto position off the front · dominated by [q0]

        minimum detectable regression in 1 unchanged case: latency 9.9 %,
          peak_memory 1 %, label_accuracy 0.02
        """
    )


def test_absent_metrics_are_named_together_where_the_reason_is_the_same(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult], passing_run: Run
) -> None:
    lacking = [
        MetricResult(metric, state=Outcome.ABSENT, reason=reason)
        for metric, reason in (
            (EVENT_TIME, "no CUDA device was used"),
            (FLOPS, "torch is not imported"),
            (PEAK_MEMORY, "no CUDA device was used"),
        )
    ]
    same = compared(LATENCY, (1.0, 1.0), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.02)
    judged = Judgement((case("[a]", Verdict.UNCHANGED, same, *lacking),))
    text = shown((judged, passing_run[1]), verbosity=1)
    assert "    absent: peak_memory, event_time (no CUDA device was used)\n" in text
    assert "    absent: flops (torch is not imported)\n" in text
    assert "absent" not in shown((judged, passing_run[1]))


def test_routine_diagnostics_share_a_line_below_double_verbose(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult], passing_run: Run
) -> None:
    calm = (0.0, -0.01, 0.01)
    metrics = (
        compared(LATENCY, (1.0, 1.0), calm, Outcome.UNCHANGED, resolution=0.02),
        compared(KERNELS, (2630.0, 2630.0), (0.0, 0.0, 0.0), Outcome.UNCHANGED, resolution=0.0),
        compared(FLOPS, (4e12, 4e12), (0.0, 0.0, 0.0), Outcome.UNCHANGED, resolution=0.0),
        compared(EVENT_TIME, (1.0, 1.02), (0.02, -0.1, 0.2), Outcome.INCONCLUSIVE, resolution=0.3),
        compared(HOST_COPIES, (2.0, 3.0), (0.5, 0.5, 0.5), Outcome.WORSE, resolution=0.0),
    )
    judged = Judgement((case("[a]", Verdict.UNCHANGED, *metrics),)), passing_run[1]
    text = shown(judged, verbosity=1)
    assert "    diagnostics, unchanged: kernels 2.630 k, flops 4.000 T\n" in text
    assert "    diagnostics, inconclusive: event_time 1.020 s (+2.0 %)\n" in text
    assert re.search(r"^    host_copies +2 → +3 +\+50 % +none +worse$", text, flags=re.MULTILINE)
    assert "diagnostics," not in shown(judged)
    assert re.search(r"^    kernels +2.630 →", shown(judged, verbosity=2), flags=re.MULTILINE)


def test_very_verbose_adds_p_values(failing_run: Run) -> None:
    assert shown(only(failing_run, "[ddim-4]"), verbosity=2) == golden(
        """
        PASS  1 case inconclusive
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s

                         baseline →    now    change (90 %)        limit  outcome
        test_sd.py::test_generate
          [ddim-4]                                                        inconclusive
            latency         61.00 →  64.00 ms +4.8 % [−6, +17]       5 %  inconclusive
              minimum detectable regression 19 % · first call 12.31 s
              the host drifts between runs
              p(worse) 0.21, corrected 0.84, p(better) 0.6, 6.2 degrees of freedom,
              alpha 0.05
            label_accuracy 0.9620 → 0.9610    −0.001 [−.009, +.007] 0.01  unchanged
              400 pairs · minimum detectable regression 0.02
              p(worse) 0.9, p(better) 0.9, alpha 0.05
            Pareto position kept · on the front
        """
    )


def test_passing_run(passing_run: Run) -> None:
    assert shown(passing_run) == golden(
        """
        PASS  9 cases unchanged
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s

        minimum detectable regression in 9 unchanged cases: latency 9-16 %,
          peak_memory 1 %, label_accuracy 0.02
        """
    )


def test_no_baseline_yet(first_run: Run) -> None:
    assert shown(first_run) == golden(
        """
        NEW   9 new cases, nothing judged
              no baseline for apple-m3-max yet (looked in pareto_baselines)
              1 run in 212 s

        to record one here:  pytest --pareto --pareto-update
        """
    )


def test_no_baseline_where_that_fails_names_every_case(first_run: Run) -> None:
    judgement, facts = first_run
    cases = tuple(replace(c, fails=c.notices, notices=()) for c in judgement.cases[:2])
    assert shown((Judgement(cases), facts)) == golden(
        """
        FAIL  2 of 2 cases with nothing to compare with
              no baseline for apple-m3-max yet (looked in pareto_baselines)
              1 run in 212 s

        2 cases NEW: nothing is recorded for apple-m3-max
          test_sd.py::test_generate[n0]
          test_sd.py::test_generate[n1]

        to record one here:  pytest --pareto --pareto-update
        """
    )


def test_common_movement_is_one_headline(common_run: Run) -> None:
    assert shown(common_run) == golden(
        """
        FAIL  40 of 45 cases moved together · 5 unchanged
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s · unconfirmed: judged on this session's runs alone

        latency is worse in 40 of 45 cases together, by about +8.0 %
          test_sd.py::test_generate[c7] · test_sd.py::test_generate[c0]
          test_sd.py::test_generate[c1] · test_sd.py::test_generate[c2]
          test_sd.py::test_generate[c3] · and 35 more
          fails at test_sd.py::test_generate[c7]: latency moved together in 40 of 45
            cases: this session alone cannot tell a change of the code from one of the
            machine

        minimum detectable regression in 5 unchanged cases: latency 9 %,
          peak_memory 1 %, label_accuracy 0.02

        code or machine?  pytest --pareto --pareto-against=origin/main
        """
    )


def test_missing_broken_and_failures_of_the_session(incomplete_run: Run) -> None:
    assert shown(incomplete_run) == golden(
        """
        FAIL  1 of 3 cases broken · 1 missing · 1 unchanged
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              5 runs in 212 s · incomplete: 1 of 2 workers crashed

        FAIL  the worker gw1 crashed: what it measured is lost

                          baseline → now outcome
        test_sd.py::test_generate
          [nan]                         BROKEN
            label_accuracy  0.9620 → —  BROKEN
            fails: label_accuracy: nan at sample 'p7'

        1 case MISSING: the baseline has it, and this session did not run it
          test_sd.py::test_generate[gone]

        minimum detectable regression in 1 unchanged case: latency 9 %, peak_memory 1 %,
          label_accuracy 0.02

        if it was removed on purpose:  pytest --pareto --pareto-update=all
        """
    )


def test_update_lists_what_it_wrote(update_run: Run) -> None:
    assert shown(update_run) == golden(
        """
        PASS  3 cases · 1 worse, let through · 1 new · 1 unchanged
              against pareto_baselines/nvidia-h200x1 (2 sessions, 10 runs)
              1 run in 212 s · unconfirmed: judged on this session's runs alone

                  baseline →   now     change (90 %)     limit  outcome
        test_sd.py::test_generate
          [cached-20]                                           dominated
            latency  231.0 → 462.0 ms  +100 % [+95, +105]  5 %  WORSE
            note: accepted: latency got worse beyond its limit

        1 case new: the baseline does not have this case
          test_sd.py::test_generate[new]

        minimum detectable regression in 1 unchanged case: latency 9 %, peak_memory 1 %,
          label_accuracy 0.02

        written to the baseline:
          test_sd.py::test_generate[cached-20] latency: 231.0 → 462.0 ms, accepted
            although WORSE
          test_sd.py::test_generate[new] latency: new at 400.0 ms
        """
    )


def test_nothing_measured_is_a_failure() -> None:
    facts = SessionFacts("pareto_baselines/x", "x", 1, 5, 1, 3.2)
    judgement = Judgement(
        (), failures=(Failure("nothing was measured: no test used the pareto fixture"),)
    )
    assert shown((judgement, facts)) == golden(
        """
        FAIL  no case was judged
              against pareto_baselines/x (1 session, 5 runs)
              1 run in 3.2 s

        FAIL  nothing was measured: no test used the pareto fixture
        """
    )


def test_confirmed_run_is_not_unconfirmed(failing_run: Run) -> None:
    judgement, facts = failing_run
    assert "unconfirmed" in shown(failing_run)
    assert "unconfirmed" not in shown((judgement, replace(facts, confirmed=True)))


def test_passing_run_has_nothing_to_confirm(passing_run: Run) -> None:
    assert "unconfirmed" not in shown(passing_run)


def test_reporter_repeats_the_judge_and_decides_nothing(
    case: Callable[..., CaseVerdict],
    compared: Callable[..., MetricResult],
    facts: Callable[..., SessionFacts],
) -> None:
    """A doubled metric passes if the judgement passes its case, and an unchanged one may fail."""
    doubled = compared(LATENCY, (0.2, 0.4), (1.0, 0.9, 1.1), Outcome.WORSE, resolution=0.1)
    still = compared(LATENCY, (0.2, 0.2), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.1)
    passes = Judgement((case("[a]", Verdict.UNCHANGED, doubled),))
    fails = Judgement((case("[a]", Verdict.WORSE, still, fails=("the judge says so",)),))
    assert shown((passes, facts())).startswith("PASS  1 case unchanged")
    assert shown((fails, facts())).startswith("FAIL  1 of 1 case regressed")


@pytest.mark.parametrize("verbosity", [-1, 0, 1, 2])
def test_tones_follow_the_gate(failing_run: Run, passing_run: Run, verbosity: int) -> None:
    first = render_terminal(*failing_run, verbosity=verbosity, plot=False, width=80)[0]
    assert first.tone is Tone.RED
    assert first.markup == {"red": True}
    first = render_terminal(*passing_run, verbosity=verbosity, plot=False, width=80)[0]
    assert first.tone is Tone.GREEN


def test_session_without_cases_is_not_green(passing_run: Run) -> None:
    lines = render_terminal(Judgement(()), passing_run[1], verbosity=0, plot=True, width=80)
    assert (lines[0].text, lines[0].tone) == ("PASS  no case was judged", Tone.YELLOW)


def test_plain_line_has_no_markup() -> None:
    assert Line("text").markup == {}


def test_trade_that_passes_is_no_alarm(failing_run: Run) -> None:
    lines = render_terminal(*only(failing_run, "[fp16-10]"), verbosity=0, plot=False, width=80)
    assert Tone.RED not in {line.tone for line in lines}
    assert Tone.YELLOW in {line.tone for line in lines}


def test_reports_import_nothing_heavy() -> None:
    code = (
        "import sys, pytest_pareto.report.terminal, pytest_pareto.report.terminal\n"
        "print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "torch", "pytest", "_pytest"} & set(found.stdout.split())


def test_process_output_is_shown_to_its_end() -> None:
    lost = "ERROR: not found: " + "a/very/long/path/" * 6 + "test_sd.py::test_generate[fp16-20]"
    failure = f"the ref leg failed:\n    {lost}\n  then: give it a link"
    text = shown((Judgement((), failures=(Failure(failure),)), SessionFacts("", "", 0, 0, 0, 0.0)))
    assert max(map(len, text.splitlines())) <= 80
    assert lost.replace(" ", "") in "".join(text.split())
    assert "\n        then: give it a link" in text
