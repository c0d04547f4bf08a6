"""Samples of an evaluation: inputs, targets, ids and seeds, and the order of their generation.

`read_samples` checks them before anything is generated. Each sample has seeds of its own, so
that neither the batch size nor other samples affect its output. `stages` divides the samples
into the parts between the looks of an evaluation that may stop early.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Looks, order_seed
from pytest_pareto.scoring.score import as_indexable, is_array, take


@dataclass(frozen=True, slots=True)
class Job:
    """One output to generate: the sample at a position, with one of its seeds.

    ``label`` names it in messages: the sample's id, with the seed where it has several.
    """

    position: int
    seed: int
    label: str


@dataclass(frozen=True, slots=True)
class Samples:
    """The inputs, targets, ids and seeds of all samples, aligned by position."""

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
        """Return the jobs of the samples at these positions, in the same order."""
        several = self.several_seeds
        return tuple(
            Job(
                position,
                seed,
                f"{self.ids[position]} (seed {seed})" if several else self.ids[position],
            )
            for position in positions
            for seed in self.seeds[position]
        )

    def inputs_of(self, jobs: Sequence[Job]) -> Any:
        """Return the batch of inputs of these jobs."""
        return take(self.inputs, [job.position for job in jobs])

    def targets_of(self, jobs: Sequence[Job]) -> Any:
        """Return the targets of these jobs."""
        return take(self.targets, [job.position for job in jobs])


def read_samples(samples: Any, *, ids: Any, targets: Any, seeds: object) -> Samples:
    """Return samples, ids, targets and seeds, checked against each other.

    Raises ParetoError where lengths differ, or where ids are missing or not unique.
    """
    inputs = _sequence("samples", samples)
    count = len(inputs)
    if not count:
        raise ParetoError("evaluate has no samples at all; give at least one")
    references = inputs if targets is None else _sequence("targets", targets)
    if len(references) != count:
        raise ParetoError(
            f"there are {count} samples and {len(references)} targets; give one target per sample"
        )
    labels = _ids_from_inputs(inputs) if ids is None else _read_ids(ids, count)
    return Samples(inputs, references, labels, read_seeds(seeds, labels))


def _sequence(name: str, given: Any) -> Any:
    if isinstance(given, str | bytes | dict) or not (
        is_array(given) or (hasattr(given, "__len__") and hasattr(given, "__getitem__"))
    ):
        raise ParetoError(f"{name} takes a sequence, such as a list, not {type(given).__name__}")
    return as_indexable(given)


def _ids_from_inputs(inputs: Any) -> tuple[str, ...]:
    values = inputs.tolist() if is_array(inputs) and len(inputs.shape) == 1 else list(inputs)
    if not all(isinstance(value, str | Integral) for value in values):
        raise ParetoError(
            "these samples do not name themselves; pass ids= with a string for each, so that "
            "each is compared with itself"
        )
    labels = tuple(str(value) for value in values)
    duplicate = _first_duplicate(labels)
    if duplicate is not None:
        raise ParetoError(
            f"the sample {duplicate!r} is there more than once, so that samples cannot be their "
            "own ids; pass ids= with a different string for each"
        )
    return labels


def _read_ids(ids: Any, count: int) -> tuple[str, ...]:
    found = ids.tolist() if is_array(ids) else ids
    if isinstance(found, str | bytes) or not hasattr(found, "__iter__"):
        raise ParetoError(f"ids takes a sequence with an id for each sample, not {ids!r}")
    labels = tuple(str(label) for label in found)
    if len(labels) != count:
        raise ParetoError(f"there are {count} samples and {len(labels)} ids; give one per sample")
    duplicate = _first_duplicate(labels)
    if duplicate is not None:
        raise ParetoError(f"the id {duplicate!r} stands for more than one sample; make ids unique")
    return labels


def _first_duplicate(labels: Sequence[str]) -> str | None:
    if len(set(labels)) == len(labels):
        return None
    return Counter(labels).most_common(1)[0][0]


_SEEDS_HELP = (
    "seeds takes None (a seed of each sample's id), a number of seeds per sample, or a sequence "
    "with an int, or a tuple of ints, for each sample"
)


def seed_of(label: str, number: int = 0) -> int:
    """Return the ``number``-th seed of a sample, 32 bits, which depends on the id alone."""
    digest = hashlib.sha256(f"{label}\0{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def read_seeds(seeds: Any, ids: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the seeds of each sample, the same number for every sample.

    Raises ParetoError where the numbers differ, or where a sample has none.
    """
    if seeds is None:
        seeds = 1
    if _is_integer(seeds):
        if seeds < 1:
            raise ParetoError(f"seeds is {seeds}; at least one seed per sample is needed")
        return tuple(tuple(seed_of(label, k) for k in range(int(seeds))) for label in ids)
    to_list = getattr(seeds, "tolist", None)
    found = to_list() if callable(to_list) else seeds
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        raise ParetoError(f"{_SEEDS_HELP}; not {seeds!r}")
    if len(found) != len(ids):
        raise ParetoError(f"there are {len(ids)} samples and seeds for {len(found)}; {_SEEDS_HELP}")
    each = tuple(_seeds_of_sample(given, label) for given, label in zip(found, ids, strict=True))
    counts = {len(given) for given in each}
    if len(counts) > 1 or counts == {0}:
        raise ParetoError(
            f"seeds has {min(counts)} to {max(counts)} seeds for a sample; give every sample "
            "the same number, at least one, so that their means weigh the same"
        )
    return each


def _seeds_of_sample(given: Any, label: str) -> tuple[int, ...]:
    several = given if isinstance(given, tuple | list) else (given,)
    if not all(_is_integer(seed) for seed in several):
        raise ParetoError(f"the seed of sample {label!r} is {given!r}; {_SEEDS_HELP}")
    return tuple(int(seed) for seed in several)


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


MAX_LOOKS = 5
"""The number of looks at the scores in an evaluation that may stop early."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The positions that are generated before a look, and the look; None where there is none."""

    positions: tuple[int, ...]
    looks: Looks | None


def stages(ids: Sequence[str], *, sequential: bool) -> Iterator[Stage]:
    """Yield all positions in one stage, in the given order, or shuffled and in several stages.

    Where ``sequential``, there is a look after each of up to 5 stages. The seed of the shuffle
    comes from the ids, so that the same samples have the same order.
    """
    if not sequential:
        yield Stage(tuple(range(len(ids))), None)
        return
    seed = order_seed(ids)
    order = sorted(
        range(len(ids)),
        key=lambda position: hashlib.sha256(f"{seed} {ids[position]}".encode()).digest(),
    )
    planned = min(MAX_LOOKS, len(ids))
    used = 0
    for at in range(1, planned + 1):
        looks = Looks(len(ids), planned, at, seed)
        yield Stage(tuple(order[used : looks.used]), looks)
        used = looks.used
