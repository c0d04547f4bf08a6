"""Set metrics (such as FID): one value over all outputs, with jackknife pseudo-values per block.

A `SetRater` collects an item per output, and computes the value of the set. `pseudo_values` is
the block jackknife: the contribution of each block of items to the value.
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
    OutputPair,
    ScoringError,
    UpdateRater,
    concatenated,
    exception_text,
    scoring_error,
    value_over,
)
from pytest_pareto.scoring.score import as_number, describe

BLOCKS = 20
"""Few enough for a slow statistic, many enough for a spread with 19 degrees of freedom."""
_UPDATE_SIZE = 32
"""How many samples an object is updated with at once."""


@dataclass(frozen=True, slots=True)
class SetValue:
    """The value of the set, and the jackknife pseudo-value of each named block."""

    value: float
    values: tuple[float, ...]
    blocks: tuple[str, ...]


class SetRater(Protocol):
    """Collects an item per output, and computes one value of all items."""

    def rate(self, batch: Batch) -> list[Any]:
        """Return the item of each output. Raises ScoringError."""
        ...

    def compute(self, items: Sequence[Any], labels: Sequence[str]) -> SetValue:
        """Return the value over all items; items with the same label are of one sample.

        Raises ScoringError.
        """
        ...


@dataclass(frozen=True, slots=True)
class FeatureSetRater:
    """Computes a statistic of feature vectors."""

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
        except Exception as error:  # user code may raise anything; it is reported, not lost
            raise scoring_error(f"{self.name}: features", label, error) from error
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

    def compute(self, items: Sequence[Any], labels: Sequence[str]) -> SetValue:
        """Return the statistic of all vectors, with a pseudo-value per block."""
        import numpy as np

        for label, vector in zip(labels, items, strict=True):
            if len(vector) != len(items[0]):
                raise ScoringError(
                    f"features of {self.name!r} have {len(vector)} numbers at sample {label!r} "
                    f"and {len(items[0])} at {labels[0]!r}; give every sample as many"
                )
        return _jackknifed(self.name, self.statistic, np.stack(items), labels)


@dataclass(frozen=True, slots=True)
class UpdateSetRater:
    """Computes the value of an object with update, compute and reset over all outputs."""

    name: str
    metric: Any

    def rate(self, batch: Batch) -> list[OutputPair]:
        """Return each output with its target, as batches of one on the object's device."""
        reader = UpdateRater(self.name, self.metric)
        pairs = []
        for label, output, target in zip(batch.labels, batch.outputs, batch.targets, strict=True):
            try:
                pairs.append(reader.pair(output, target))
            except Exception as error:  # user code may raise anything; it is reported, not lost
                raise scoring_error(self.name, label, error) from error
        return pairs

    def compute(self, items: Sequence[OutputPair], labels: Sequence[str]) -> SetValue:
        """Return the object's value over all outputs, with a pseudo-value per block."""
        import numpy as np

        def statistic(indices: Any) -> object:
            return value_over(self.metric, batch_pairs([items[index] for index in indices]))

        return _jackknifed(self.name, statistic, np.arange(len(items)), labels)


def batch_pairs(pairs: Sequence[OutputPair]) -> list[OutputPair]:
    """Return pairs concatenated into batches of up to 32, or as they are where shapes differ."""
    batches: list[OutputPair] = []
    for start in range(0, len(pairs), _UPDATE_SIZE):
        chunk = pairs[start : start + _UPDATE_SIZE]
        outputs = concatenated([output for output, _ in chunk])
        targets = concatenated([target for _, target in chunk])
        fits = outputs is not None and targets is not None
        batches.extend([(outputs, targets)] if fits else chunk)
    return batches


def _jackknifed(
    name: str, statistic: Callable[[Any], object], items: Any, labels: Sequence[str]
) -> SetValue:
    """Return the statistic of all items, with the pseudo-values of up to 20 blocks of samples."""
    samples = sorted(set(labels))  # blocks must not depend on the order of the samples
    count = min(BLOCKS, len(samples))
    if count < 2:
        raise ScoringError(f"{name!r} is over the whole set, which needs two samples at least")
    members = [[samples[index] for index in block] for block in blocks_of(len(samples), count, 0)]

    def checked(subset: Any) -> float:
        return _finite(name, statistic, subset)

    indices: dict[str, list[int]] = {}
    for index, label in enumerate(labels):  # a sample with several seeds has as many items
        indices.setdefault(label, []).append(index)
    blocks = [[index for sample in block for index in indices[sample]] for block in members]
    whole, values = pseudo_values(checked, items, blocks)
    names = tuple(_block_name(number, block) for number, block in enumerate(members))
    return SetValue(whole, values, names)


def _finite(name: str, statistic: Callable[[Any], object], items: Any) -> float:
    try:
        returned = statistic(items)
    except Exception as error:  # user code may raise anything; it is reported, not lost
        reason = exception_text(error)
        raise ScoringError(f"{name!r} raised {reason} over {len(items)} outputs") from error
    number = as_number(returned)
    if number is None or not math.isfinite(number):
        raise ScoringError(
            f"{name!r} returned {describe(returned)} over {len(items)} outputs; "
            "one finite number is needed"
        )
    return number


def _block_name(block: int, samples: Sequence[str]) -> str:
    """Return the name of a block, with a hash of its samples.

    Blocks of other samples have other names, so that they are never compared.
    """
    digest = hashlib.sha256("\0".join(samples).encode()).hexdigest()
    return f"block {block + 1} ({digest[:8]})"


T = TypeVar("T")


def pseudo_values(
    statistic: Callable[[Sequence[T]], float], items: Sequence[T], blocks: Sequence[Sequence[int]]
) -> tuple[float, tuple[float, ...]]:
    """Return the statistic of all items, and one jackknife pseudo-value per block.

    The pseudo-value of block b is J_b = h f - (h - 1) f_(-b), with f the statistic of all items,
    f_(-b) the statistic without block b, and h the number of items over the size of the block:
    the number of blocks, where all have one size. The mean of the pseudo-values is f without its
    bias of the order 1/n. They scatter as independent values would, by the sampling error of f.
    ``blocks`` are lists of indices into ``items``, disjoint and together complete. The statistic
    is called with an array if ``items`` is an array, otherwise with a list.

    Source: J. W. Tukey (1958), "Bias and confidence in not quite large samples", Annals of
    Mathematical Statistics 29, 614; for blocks that differ in size F. Busing, E. Meijer and
    R. van der Leeden (1999), "Delete-m jackknife for unequal m", Statistics and Computing 9, 3-8.

    Raises ParetoError unless there are two or more blocks that partition the items.
    """
    count = len(items)
    is_partition = sorted(index for block in blocks for index in block) == list(range(count))
    if len(blocks) < 2 or not all(blocks) or not is_partition:
        raise ParetoError(
            f"{len(blocks)} blocks of {count} items: two or more are needed, none of them empty, "
            "and each item in one of them"
        )
    whole = float(statistic(items))
    values = []
    for block in blocks:
        ratio = count / len(block)
        without = float(statistic(_without(items, block)))
        values.append(ratio * whole - (ratio - 1) * without)
    return whole, tuple(values)


def blocks_of(count: int, blocks: int, seed: int) -> list[list[int]]:
    """Return a random partition of ``count`` indices into ``blocks`` blocks of equal size.

    Sizes differ by one at most. The same seed gives the same blocks on every machine.

    Raises ParetoError unless there are two or more blocks, and an index for each.
    """
    if not 2 <= blocks <= count:
        raise ParetoError(
            f"{count} samples cannot be parted into {blocks} blocks; "
            "two blocks or more are needed, and a sample for each"
        )
    indices = list(range(count))
    random.Random(seed).shuffle(indices)  # noqa: S311 - must be repeatable, not secret
    return [sorted(indices[start::blocks]) for start in range(blocks)]


def _without(items: Any, block: Sequence[int]) -> Any:
    import numpy as np

    left_out = set(block)
    rest = [index for index in range(len(items)) if index not in left_out]
    return items[rest] if isinstance(items, np.ndarray) else [items[index] for index in rest]
