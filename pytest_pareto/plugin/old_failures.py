"""What failed with the old code: it fails nothing now, and has to be told all the same."""

from collections import Counter
from collections.abc import Sequence

from pytest_pareto.model.run import Run


def failed_before(runs: Sequence[Run], *, again: bool = False) -> list[str]:
    """Tell of what failed in runs of the old code, always or now and then, and how often.

    ``again`` is whether these are the runs that measured suspects again.
    """
    often = Counter(nodeid for run in runs for nodeid in run.failed)
    why = {nodeid: said for run in runs for nodeid, said in run.failed.items()}
    always = sorted(nodeid for nodeid, count in often.items() if count == len(runs))
    old = "the old code, measured again," if again else "the old code"
    told = []
    if always:
        noun = "test" if any("::" in nodeid for nodeid in always) else "module"
        what = f"1 {noun} fails" if len(always) == 1 else f"{len(always)} {noun}s fail"
        first = f"{always[0]}: {why[always[0]]}"
        told.append(f"with {old} {what}, and cannot be compared: {first}")
    seldom = sorted(often.keys() - set(always))
    if seldom:
        nodeid, more = seldom[0], f" (and {len(seldom) - 1} more)" if len(seldom) > 1 else ""
        told.append(
            f"with {old} {nodeid}{more} fails in {often[nodeid]} of {len(runs)} runs, and is "
            f"compared with the others: {why[nodeid]}"
        )
    return told
