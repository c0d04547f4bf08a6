"""The samples of an evaluation, checked before anything is generated.

Seeds: one generator per sample, so that neither batches nor neighbours are part of a pair.

In which order samples are visited, and when it is asked whether that was enough.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Looks, order_seed
from pytest_pareto.scoring.score import is_array, listed, take


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to generate: the sample at a position, with one of its seeds.

    ``label`` is how messages call it: the sample's id, with the seed where it has several.
    """

    position: int
    seed: int
    label: str


@dataclass(frozen=True, slots=True)
class Samples:
    """What to generate from, under which ids, and what to score against; aligned."""

    inputs: Any
    targets: Any
    ids: tuple[str, ...]
    seeds: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def several_seeds(self) -> bool:
        """Whether scores are averaged over seeds."""
        return len(self.seeds[0]) > 1

    def jobs(self, positions: Sequence[int]) -> tuple[Job, ...]:
        """Return what there is to generate of these samples, in their order."""
        several = self.several_seeds
        return tuple(
            Job(at, seed, f"{self.ids[at]} (seed {seed})" if several else self.ids[at])
            for at in positions
            for seed in self.seeds[at]
        )

    def inputs_of(self, jobs: Sequence[Job]) -> Any:
        """Return the batch that generates these jobs."""
        return take(self.inputs, [job.position for job in jobs])

    def targets_of(self, jobs: Sequence[Job]) -> Any:
        """Return what the outputs of these jobs are scored against."""
        return take(self.targets, [job.position for job in jobs])


def read_samples(samples: Any, *, ids: Any, targets: Any, seeds: object) -> Samples:
    """Check that samples, ids, targets and seeds are of each other.

    Raises ParetoError where lengths differ, or ids are missing, or not unique.
    """
    inputs = _sequence("samples", samples)
    count = len(inputs)
    if not count:
        raise ParetoError("evaluate has no samples at all; give at least one")
    against = inputs if targets is None else _sequence("targets", targets)
    if len(against) != count:
        raise ParetoError(
            f"there are {count} samples and {len(against)} targets; give one target per sample"
        )
    labels = _own_ids(inputs) if ids is None else _given_ids(ids, count)
    return Samples(inputs, against, labels, read_seeds(seeds, labels))


def _sequence(name: str, given: Any) -> Any:
    if isinstance(given, str | bytes | dict) or not (
        is_array(given) or (hasattr(given, "__len__") and hasattr(given, "__getitem__"))
    ):
        raise ParetoError(f"{name} takes a sequence, such as a list, not {type(given).__name__}")
    return listed(given)


def _own_ids(inputs: Any) -> tuple[str, ...]:
    values = inputs.tolist() if is_array(inputs) and len(inputs.shape) == 1 else list(inputs)
    if not all(isinstance(value, str | Integral) for value in values):
        raise ParetoError(
            "these samples do not name themselves; pass ids= with a string for each, so that "
            "each is compared with itself"
        )
    labels = tuple(str(value) for value in values)
    again = _repeated(labels)
    if again is not None:
        raise ParetoError(
            f"the sample {again!r} is there more than once, so that samples cannot be their own "
            "ids; pass ids= with a different string for each"
        )
    return labels


def _given_ids(ids: Any, count: int) -> tuple[str, ...]:
    found = ids.tolist() if is_array(ids) else ids
    if isinstance(found, str | bytes) or not hasattr(found, "__iter__"):
        raise ParetoError(f"ids takes a sequence with an id for each sample, not {ids!r}")
    labels = tuple(str(label) for label in found)
    if len(labels) != count:
        raise ParetoError(f"there are {count} samples and {len(labels)} ids; give one per sample")
    again = _repeated(labels)
    if again is not None:
        raise ParetoError(f"the id {again!r} stands for more than one sample; make ids unique")
    return labels


def _repeated(labels: Sequence[str]) -> str | None:
    if len(set(labels)) == len(labels):
        return None
    return Counter(labels).most_common(1)[0][0]


_TAKES = (
    "seeds takes None (a seed of each sample's id), a number of seeds per sample, or a sequence "
    "with an int, or a tuple of ints, for each sample"
)


def seed_of(label: str, number: int = 0) -> int:
    """Return the ``number``-th seed of a sample, of 32 bits: the same wherever the id is."""
    digest = hashlib.sha256(f"{label}\0{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def read_seeds(seeds: Any, ids: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the seeds of each sample, as many for one as for the other.

    Raises ParetoError where they are not, or where there are none.
    """
    if seeds is None:
        seeds = 1
    if _is_whole(seeds):
        if seeds < 1:
            raise ParetoError(f"seeds is {seeds}; at least one seed per sample is needed")
        return tuple(tuple(seed_of(label, k) for k in range(int(seeds))) for label in ids)
    to_list = getattr(seeds, "tolist", None)
    found = to_list() if callable(to_list) else seeds
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        raise ParetoError(f"{_TAKES}; not {seeds!r}")
    if len(found) != len(ids):
        raise ParetoError(f"there are {len(ids)} samples and seeds for {len(found)}; {_TAKES}")
    each = tuple(_of_one(given, label) for given, label in zip(found, ids, strict=True))
    counts = {len(given) for given in each}
    if len(counts) > 1 or counts == {0}:
        raise ParetoError(
            f"seeds has {min(counts)} to {max(counts)} seeds for a sample; give every sample "
            "the same number, at least one, so that their means weigh the same"
        )
    return each


def _of_one(given: Any, label: str) -> tuple[int, ...]:
    several = given if isinstance(given, tuple | list) else (given,)
    if not all(_is_whole(seed) for seed in several):
        raise ParetoError(f"the seed of sample {label!r} is {given!r}; {_TAKES}")
    return tuple(int(seed) for seed in several)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


LOOKS = 5
"""How often an evaluation that may stop early looks at what it has."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The positions that are visited until a look, and the look; None where nobody looks."""

    positions: tuple[int, ...]
    looks: Looks | None


def stretches(ids: Sequence[str], *, looking: bool) -> Iterator[Stretch]:
    """Yield what to visit: everything as it was given or, where looking, shuffled and in parts.

    The seed of the shuffle comes from the ids, so that the same samples have the same order.
    """
    if not looking:
        yield Stretch(tuple(range(len(ids))), None)
        return
    seed = order_seed(ids)
    order = sorted(
        range(len(ids)), key=lambda at: hashlib.sha256(f"{seed} {ids[at]}".encode()).digest()
    )
    used = 0
    for at in range(1, min(LOOKS, len(ids)) + 1):
        looks = Looks(len(ids), min(LOOKS, len(ids)), at, seed)
        yield Stretch(tuple(order[used : looks.used]), looks)
        used = looks.used
