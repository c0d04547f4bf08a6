"""One number of a whole set of outputs, and how much it hangs on each block of them.

One number of a whole set, taken apart into what each block of its items contributes.
"""

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.generation import Batch
from pytest_pareto.scoring.raters import (
    ByUpdate,
    Pair,
    ScoringError,
    failed,
    joined,
    said,
    value_over,
)
from pytest_pareto.scoring.score import as_number, describe

BLOCKS = 20
"""Few enough for a statistic that takes its time, many enough for a spread with 19 degrees."""
_TOGETHER = 32
"""How many samples an object is updated with at once."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The number of the set, and the jackknife's pseudo-value of each named block."""

    value: float
    values: tuple[float, ...]
    blocks: tuple[str, ...]


class OfSet(Protocol):
    """Gathers something of each output, and makes one number of what it gathered."""

    def rate(self, batch: Batch) -> list[Any]:
        """Return what is needed of each output."""
        ...

    def conclude(self, items: Sequence[Any], labels: Sequence[str]) -> Whole:
        """Return the number of all items; those with one label are of one sample."""
        ...


@dataclass(frozen=True, slots=True)
class OfFeatures:
    """A statistic of feature vectors."""

    name: str
    statistic: Callable[[Any], object]
    features: Callable[[Any, Any], object]

    def rate(self, batch: Batch) -> list[Any]:
        """Return the feature vector of each output."""
        triples = zip(batch.labels, batch.outputs, batch.targets, strict=True)
        return [self._vector(*triple) for triple in triples]

    def _vector(self, label: str, output: Any, target: Any) -> Any:
        import numpy as np

        try:
            returned = self.features(output, target)
            on_host = returned.detach().float().cpu() if hasattr(returned, "detach") else returned
            vector = np.asarray(on_host, np.float64)
        except Exception as error:  # whatever users' code raises is told, not lost
            raise failed(f"{self.name}: features", label, error) from error
        if vector.ndim != 1 or not vector.size:
            raise ScoringError(
                f"features of {self.name!r} returned {describe(returned)} at sample {label!r}; "
                "a vector, of shape (d,), is needed"
            )
        if not np.isfinite(vector).all():
            raise ScoringError(
                f"features of {self.name!r} are not finite at sample {label!r}; "
                "only finite numbers can be compared"
            )
        return vector

    def conclude(self, items: Sequence[Any], labels: Sequence[str]) -> Whole:
        """Return the statistic of all vectors, and of each block's part in it."""
        import numpy as np

        for label, vector in zip(labels, items, strict=True):
            if len(vector) != len(items[0]):
                raise ScoringError(
                    f"features of {self.name!r} have {len(vector)} numbers at sample {label!r} "
                    f"and {len(items[0])} at {labels[0]!r}; give every sample as many"
                )
        return _jackknifed(self.name, self.statistic, np.stack(items), labels)


@dataclass(frozen=True, slots=True)
class OfUpdates:
    """An object that collects every output before it computes."""

    name: str
    metric: Any

    def rate(self, batch: Batch) -> list[Pair]:
        """Return each output with its target, as the object takes them."""
        reader = ByUpdate(self.name, self.metric)
        pairs = []
        for label, output, target in zip(batch.labels, batch.outputs, batch.targets, strict=True):
            try:
                pairs.append(reader.pair(output, target))
            except Exception as error:  # whatever users' code raises is told, not lost
                raise failed(self.name, label, error) from error
        return pairs

    def conclude(self, items: Sequence[Pair], labels: Sequence[str]) -> Whole:
        """Return what the object computes of all outputs, and of each block's part in it."""
        import numpy as np

        def statistic(chosen: Any) -> object:
            return value_over(self.metric, together([items[at] for at in chosen]))

        return _jackknifed(self.name, statistic, np.arange(len(items)), labels)


def together(pairs: Sequence[Pair]) -> list[Pair]:
    """Put pairs into batches where they fit together."""
    batches: list[Pair] = []
    for start in range(0, len(pairs), _TOGETHER):
        some = pairs[start : start + _TOGETHER]
        outputs = joined([output for output, _ in some])
        targets = joined([target for _, target in some])
        fits = outputs is not None and targets is not None
        batches.extend([(outputs, targets)] if fits else some)
    return batches


def _jackknifed(
    name: str, statistic: Callable[[Any], object], items: Any, labels: Sequence[str]
) -> Whole:
    samples = sorted(set(labels))  # so that the order of the samples is no part of the blocks
    count = min(BLOCKS, len(samples))
    if count < 2:
        raise ScoringError(f"{name!r} is over the whole set, which needs two samples at least")
    members = [[samples[place] for place in block] for block in blocks_of(len(samples), count, 0)]

    def number(some: Any) -> float:
        return _number(name, statistic, some)

    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):  # of several seeds a sample has as many places
        places.setdefault(label, []).append(place)
    blocks = [[place for sample in block for place in places[sample]] for block in members]
    whole, values = pseudo_values(number, items, blocks)
    return Whole(whole, values, tuple(_block_name(i, block) for i, block in enumerate(members)))


def _number(name: str, statistic: Callable[[Any], object], items: Any) -> float:
    try:
        returned = statistic(items)
    except Exception as error:  # whatever users' code raises is told, not lost
        raise ScoringError(f"{name!r} raised {said(error)} over {len(items)} outputs") from error
    number = as_number(returned)
    if number is None or not math.isfinite(number):
        raise ScoringError(
            f"{name!r} returned {describe(returned)} over {len(items)} outputs; "
            "one finite number is needed"
        )
    return number


def _block_name(block: int, samples: Sequence[str]) -> str:
    """Name a block so that one of other samples has another name, and is never compared."""
    digest = hashlib.sha256("\0".join(samples).encode()).hexdigest()
    return f"block {block + 1} ({digest[:8]})"


T = TypeVar("T")


def pseudo_values(
    statistic: Callable[[Sequence[T]], float], items: Sequence[T], blocks: Sequence[Sequence[int]]
) -> tuple[float, tuple[float, ...]]:
    """Return the statistic of all items, and one pseudo-value per block of them.

    J_b = h f - (h - 1) f_(-b), with f_(-b) the statistic without block b and h how many times the
    block fits into the whole: as many as there are blocks, where all are of one size. Their mean
    is f without its bias of the order 1/n; like independent readings they scatter by what f owes
    to the luck of the draw. ``blocks`` are lists of places in ``items`` that share none and leave
    none out. Of an array the statistic gets arrays, of any other sequence lists.

    Source: J. W. Tukey (1958), "Bias and confidence in not quite large samples", Annals of
    Mathematical Statistics 29, 614; for blocks that differ in size F. Busing, E. Meijer and
    R. van der Leeden (1999), "Delete-m jackknife for unequal m", Statistics and Computing 9, 3-8.

    Raises ParetoError unless there are two blocks or more that part the items.
    """
    count = len(items)
    parted = sorted(place for block in blocks for place in block) == list(range(count))
    if len(blocks) < 2 or not all(blocks) or not parted:
        raise ParetoError(
            f"{len(blocks)} blocks of {count} items: two or more are needed, none of them empty, "
            "and each item in one of them"
        )
    whole = float(statistic(items))
    values = []
    for block in blocks:
        times = count / len(block)
        without = float(statistic(_without(items, block)))
        values.append(times * whole - (times - 1) * without)
    return whole, tuple(values)


def blocks_of(count: int, blocks: int, seed: int) -> list[list[int]]:
    """Part ``count`` places at random into ``blocks`` blocks, of equal sizes up to one.

    The same seed parts them in the same way on every machine.

    Raises ParetoError unless there is a place for each of two blocks or more.
    """
    if not 2 <= blocks <= count:
        raise ParetoError(
            f"{count} samples cannot be parted into {blocks} blocks; "
            "two blocks or more are needed, and a sample for each"
        )
    places = list(range(count))
    random.Random(seed).shuffle(places)  # noqa: S311 - to be repeated, not to be secret
    return [sorted(places[start::blocks]) for start in range(blocks)]


def _without(items: Any, block: Sequence[int]) -> Any:
    import numpy as np

    left_out = set(block)
    rest = [place for place in range(len(items)) if place not in left_out]
    return items[rest] if isinstance(items, np.ndarray) else [items[place] for place in rest]
