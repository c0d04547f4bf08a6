"""``pareto_artifacts``: for each failing case a folder, with a picture per worst sample."""

from collections.abc import Sequence
from pathlib import Path

from pytest_pareto.outputs.beside import Pair, compose
from pytest_pareto.outputs.disk import being_made, locked, open_folder, put_in_place
from pytest_pareto.outputs.names import case_name, file_name

_README = """\
What got worst, as `pytest --pareto` found it: a folder for each case, in it one for each metric,
with the outputs of its worst samples: before on the left, now on the right. The folder of a case
is replaced when it is found worse again. All of it can be deleted at any time.
"""


def write_artifacts(folder: Path, case_id: str, pairs: Sequence[Pair]) -> Path:
    """Draw the worst samples of a case into a folder of its own, which is returned.

    What was there of this case is replaced as a whole. Needs Pillow; raises OSError.
    """
    open_folder(folder, _README)
    target = folder / case_name(case_id)
    with locked(folder):
        made = being_made(target)
        for pair in pairs:
            picture = picture_file(made, pair)
            picture.parent.mkdir(exist_ok=True)
            compose(pair).save(picture)
        put_in_place(made, target)
    return target


def picture_file(case_folder: Path, pair: Pair) -> Path:
    """Return where in the folder of its case a pair is drawn."""
    return case_folder / file_name(pair.metric) / f"{pair.rank}-{file_name(pair.sample)}.png"
