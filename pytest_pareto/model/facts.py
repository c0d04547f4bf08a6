"""What a report says of a session beside its verdicts: against what, how much, how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The circumstances of a judged session.

    ``baseline_path`` is what the user would type: the folder of this hardware, relative
    to the root directory. ``differences`` names software that changed since the baseline,
    as "torch 2.12.0 → 2.13.0". ``partial`` says why the session is incomplete, or is
    None; ``stopped`` does where it was cut short, so that not all that was asked for ran.
    ``edits`` tells what an update wrote, and ``written`` of how many metrics; with
    ``updating`` false both are empty.
    ``confirmed`` is whether suspects were measured again before they were called worse, and
    ``suspects`` says how many in how many runs: "1 case measured again in 5 fresh runs".
    ``ref`` is the git ref whose code took turns with this one, and ``against`` names its commit;
    then there is no baseline. ``anchor_path`` is where the anchor is, if there is one.
    ``new_side`` is what `pytest-pareto compare` took for the new side, and None in a session.
    ``candidate_path`` is where the session left what could be accepted, and ``acceptable`` names
    the cases of which all that changed can be. ``other_baseline`` is the baseline's folder as it
    can be typed, where it is not the one that the project's ini file names.
    """

    baseline_path: str
    hardware_key: str
    baseline_sessions: int
    baseline_runs: int
    runs: int
    duration_s: float
    differences: tuple[str, ...] = ()
    partial: str | None = None
    updating: bool = False
    edits: tuple[str, ...] = ()
    written: int = 0
    confirmed: bool = False
    suspects: str | None = None
    ref: str | None = None
    against: str | None = None
    assumptions: tuple[str, ...] = ()
    anchor_path: str | None = None
    new_side: str | None = None
    candidate_path: str | None = None
    acceptable: frozenset[str] = frozenset()
    other_baseline: str | None = None
    stopped: str | None = None

    @property
    def accepts(self) -> bool:
        """Whether a next session could accept what this one found."""
        return not self.updating and self.ref is None and self.new_side is None
