"""Draw the front of `reading_a_front.md`: six cases, before and now.

    python docs/draw_front.py

The points are made up; what the picture says of each of them is what the gate says.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Past, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import DEVICE_TIME, Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.pipeline import judge_record

PICTURE = Path(__file__).parent / "pictures" / "front.svg"

HERE = Environment("a processor", 8, 8, gpu_product="a GPU", gpu_count=1, boards=("one",))
QUALITY = Metric("quality", "", Better.HIGHER, Kind.RUN, Scope.GPU, 0.01, relative=False)
METRICS = (DEVICE_TIME, QUALITY)
SCATTER = (-0.002, -0.001, 0.0, 0.001, 0.002)
"""Of the five runs on either side, as a share of the level."""

Point = tuple[float, float]
"""Seconds, and quality."""

CASES: Mapping[str, tuple[Point, Point]] = {
    "draft": ((0.010, 0.70), (0.010, 0.70)),
    "small": ((0.020, 0.80), (0.036, 0.80)),
    "medium": ((0.030, 0.90), (0.030, 0.90)),
    "large": ((0.060, 0.95), (0.060, 0.95)),
    "turbo": ((0.080, 0.88), (0.045, 0.97)),
    "heavy": ((0.070, 0.85), (0.070, 0.85)),
}


def judged() -> dict[str, CaseVerdict]:
    """Let the gate judge the cases: five runs now, and five in the baseline."""
    runs = [
        Run(HERE, {name: _case(name, now, run) for name, (_, now) in CASES.items()})
        for run in range(len(SCATTER))
    ]
    past = {name: _history(name, then) for name, (then, _) in CASES.items()}
    baseline = Baseline(HERE.hardware_key, past, {"here": HERE})
    found = judge_record(SessionRecord(tuple(runs), Policy()), Past(baseline))
    return {case.case_id: case for case in found.judgement.cases}


def _around(level: float, run: int) -> float:
    return level * math.exp(SCATTER[run])


def _case(name: str, point: Point, run: int) -> CaseRun:
    found = tuple(
        Measurement(metric, (_around(level, run),))
        for metric, level in zip(METRICS, point, strict=True)
    )
    return CaseRun(name, nodeid=name, front="models", source="", measurements=found)


def _history(name: str, point: Point) -> CaseHistory:
    metrics = {
        metric.name: MetricHistory(
            metric.unit,
            metric.better,
            metric.kind,
            metric.scope,
            (Session("here", 0, tuple(_around(level, run) for run in range(len(SCATTER)))),),
        )
        for metric, level in zip(METRICS, point, strict=True)
    }
    return CaseHistory(name, "models", "", metrics)


@dataclass(frozen=True)
class Frame:
    """Where a point of the plane is in the picture."""

    width: float = 720
    height: float = 400
    left: float = 60
    bottom: float = 50

    def at(self, point: Point) -> Point:
        """Return x and y in pixels: milliseconds from 0 to 90, quality from .65 to 1."""
        x = self.left + point[0] / 0.090 * (self.width - self.left - 20)
        y = (1 - (point[1] - 0.65) / 0.35) * (self.height - self.bottom - 20) + 20
        return round(x, 1), round(y, 1)


STYLE = """\
text { font: 14px system-ui, sans-serif; fill: #767676 }
.name { font-weight: 600 }
.axis { stroke: #767676; fill: none }
.front { stroke: #767676; fill: none; stroke-dasharray: 5 4 }
.moved { stroke: #767676; stroke-width: 1.5; fill: none; marker-end: url(#tip) }
.old { stroke: #767676; fill: none }
.fails { fill: #d1493f } .gains { fill: #238a5b } .told { fill: #a86b00 } .same { fill: #767676 }"""
"""Colours that can be read on white and on black, since a forge has both."""

LABELS = {"turbo": (-11, 5, "end"), "large": (10, -3, "start")}
"""Where the words stand beside a point: away from the arrow."""

TONES = {"LOST": "fails", "GAINED": "gains", "OVERTAKEN": "told"}


def picture() -> str:
    """Return the drawing."""
    frame, verdicts = Frame(), judged()
    marks = "".join(_mark(frame, name, verdicts[name]) for name in CASES)
    then = [CASES[name][0] for name in ("draft", "small", "medium", "large")]
    now = [CASES[name][1] for name in CASES if verdicts[name].place.on_front]
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" \
aria-labelledby="title">
<title id="title">Six cases by device time and quality, before and now, with their positions</title>
<style>
{STYLE}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0L8 4L0 8z" fill="#767676"/></marker></defs>
{_axes(frame)}<path class="front" d="{_stairs(frame, then)}" opacity=".45"/>
<path class="front" d="{_stairs(frame, now)}"/>
{marks}</svg>
"""


def _axes(frame: Frame) -> str:
    (x0, y0), (x1, y1) = frame.at((0, 0.65)), frame.at((0.090, 1.0))
    lines = [f'<path class="axis" d="M{x0:g} {y1:g}V{y0:g}H{x1:g}"/>']
    for ms in (20, 40, 60, 80):
        x, _ = frame.at((ms / 1e3, 0))
        lines.append(f'<text x="{x:g}" y="{y0 + 20:g}" text-anchor="middle">{ms}</text>')
    for quality in (0.7, 0.8, 0.9, 1.0):
        _, y = frame.at((0, quality))
        lines.append(f'<text x="{x0 - 8:g}" y="{y + 5:g}" text-anchor="end">{quality}</text>')
    lines.append(f'<text x="{x1:g}" y="{y0 + 42:g}" text-anchor="end">← device time (ms)</text>')
    lines.append(f'<text x="{x0 + 8:g}" y="{y1 + 12:g}">↑ quality</text>')
    return "\n".join(lines) + "\n"


def _stairs(frame: Frame, points: list[Point]) -> str:
    """Return the line that separates what is dominated from what is not."""
    path, last = "", 0.65
    for seconds, quality in sorted(points):
        (x, y), (_, below) = frame.at((seconds, quality)), frame.at((seconds, last))
        path += f"{'L' if path else 'M'}{x:g} {below:g}V{y:g}"
        last = quality
    return path + f"H{frame.at((0.090, 0))[0]:g}"


def _mark(frame: Frame, name: str, case: CaseVerdict) -> str:
    then, now = (frame.at(point) for point in CASES[name])
    position = case.place.position.value
    tone = TONES.get(position, "same")
    moved = ""
    if then != now:
        (x0, y0), (x1, y1) = then, now
        length = math.hypot(x1 - x0, y1 - y0)
        x, y = x1 - 9 * (x1 - x0) / length, y1 - 9 * (y1 - y0) / length
        moved = (
            f'<circle class="old" cx="{x0:g}" cy="{y0:g}" r="5"/>\n'
            f'<path class="moved" d="M{x0:g} {y0:g}L{x:.1f} {y:.1f}"/>\n'
        )
    x, y = now
    right, down, anchor = LABELS.get(name, (11, 19, "start"))
    words = f'<tspan class="name {tone}">{escape(name)}</tspan> {position}'
    return (
        f'{moved}<circle class="{tone}" cx="{x:g}" cy="{y:g}" r="6"/>\n'
        f'<text x="{x + right:g}" y="{y + down:g}" text-anchor="{anchor}">{words}</text>\n'
    )


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(), encoding="utf-8")
