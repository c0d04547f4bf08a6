"""One number of a whole set of outputs, and how much it hangs on each block of them."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_pareto.scoring.outputs import Batch
from pytest_pareto.scoring.raters import ByUpdate, ScoringError, failed, said, value_over
from pytest_pareto.scoring.tensors import Pair, joined
from pytest_pareto.scoring.values import as_number, describe

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
    from pytest_pareto.scoring.jackknife import blocks_of, pseudo_values

    samples = sorted(set(labels))  # so that the order of the samples is no part of the blocks
    count = min(BLOCKS, len(samples))
    if count < 2:
        raise ScoringError(f"{name!r} is over the whole set, which needs two samples at least")
    parts = [[samples[place] for place in block] for block in blocks_of(len(samples), count, 0)]
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        places.setdefault(label, []).append(place)
    blocks = [[place for sample in part for place in places[sample]] for part in parts]

    def number(some: Any) -> float:
        return _number(name, statistic, some)

    whole, values = pseudo_values(number, items, blocks)
    names = tuple(_block_name(at, part) for at, part in enumerate(parts, 1))
    return Whole(whole, tuple(values), names)


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
    digest = hashlib.sha256("\0".join(sorted(samples)).encode()).hexdigest()
    return f"block {block} ({digest[:8]})"
