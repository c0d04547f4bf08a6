"""A pool of images' features, taken for the whole population, and two numbers of a set of them."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from benchmarks.quality.record_features import FILE, POOL

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

BLOCKS = 20


@dataclass(frozen=True, slots=True)
class Sums:
    """Of images' features: how many, their sum, and the sum of their products.

    Any leading axes: of draws, of blocks.
    """

    count: int
    first: Array
    second: Array

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(self.count - other.count, self.first - other.first, self.second - other.second)


class Frechet:
    """Fréchet's distance to real images, as FID has it, from means and covariances.

    Source: D. C. Dowson and B. V. Landau (1982), "The Fréchet distance between multivariate
    normal distributions", Journal of Multivariate Analysis 12, 450-455.
    """

    def __init__(self, real: Array) -> None:
        self._mean, self._covariance = real.mean(0), np.cov(real.T)
        values, vectors = np.linalg.eigh(self._covariance)
        self._root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T

    def of(self, sums: Sums, spared: int = 1) -> Array:
        """Return the distance of every set; ``spared`` is 0 for a population."""
        mean = sums.first / sums.count
        outer = mean[..., :, None] * mean[..., None, :]
        covariance = (sums.second - sums.count * outer) / (sums.count - spared)
        inner = np.linalg.eigvalsh(self._root @ covariance @ self._root)
        cross = np.sqrt(np.maximum(inner, 0.0)).sum(-1)
        traces = np.trace(self._covariance) + np.trace(covariance, axis1=-2, axis2=-1)
        return np.asarray(((mean - self._mean) ** 2).sum(-1) + traces - 2 * cross)


@dataclass(frozen=True)
class Pool:
    """The features of one variant's images, and what is asked of them beside real ones."""

    images: Array
    real: Array

    @cached_property
    def products(self) -> Array:
        """The products of each image's features, shape (images, features²)."""
        rows = self.images[:, :, None] * self.images[:, None, :]
        return rows.reshape(len(rows), -1)

    @cached_property
    def frechet(self) -> Frechet:
        """The distance to the real images."""
        return Frechet(self.real)

    def sums(self, weights: Array) -> Sums:
        """Sum images by integer weights of shape (..., images)."""
        first = weights @ self.images
        size = self.images.shape[1]
        second = (weights @ self.products).reshape(*first.shape, size)
        return Sums(round(float(weights.sum(-1).flat[0])), first, second)

    def block_sums(self, places: Places) -> Sums:
        """Sum the images at ``places``, shape (draws, blocks, images of a block)."""
        drawn = self.images[places]
        return Sums(places.shape[-1], drawn.sum(-2), np.swapaxes(drawn, -1, -2) @ drawn)

    @cached_property
    def fid(self) -> float:
        """The number of the whole pool."""
        return float(self.frechet.of(self.sums(np.ones(len(self.images))), spared=0))

    def fid_pseudo_values(self, places: Places) -> Array:
        """Return one per draw and block."""
        blocks = self.block_sums(places)
        whole = Sums(blocks.count * BLOCKS, blocks.first.sum(1), blocks.second.sum(1))
        spread = Sums(whole.count, whole.first[:, None], whole.second[:, None])
        without = self.frechet.of(spread - blocks)
        return BLOCKS * self.frechet.of(whole)[:, None] - (BLOCKS - 1) * without

    @cached_property
    def beside_real(self) -> Array:
        """Each image's mean kernel with the real ones."""
        return np.asarray(kernel(self.images, self.real).mean(1))

    @cached_property
    def kid(self) -> float:
        """The number of the whole pool, but for what the real images alone add to it."""
        return float(kernel(self.images, self.images).mean() - 2 * self.beside_real.mean())

    def kid_pseudo_values(self, places: Places) -> Array:
        """Return one per draw and block."""
        return np.stack([self._kid_pseudo_values(drawn) for drawn in places])

    def _kid_pseudo_values(self, drawn: Places) -> Array:
        each, images = drawn.shape[1], self.images[drawn.ravel()]
        pairs, n = kernel(images, images), len(images)
        np.fill_diagonal(pairs, 0.0)  # no image is a pair with itself
        blocks = pairs.reshape(BLOCKS, each, BLOCKS, each).sum((1, 3))
        beside = self.beside_real[drawn].sum(1)
        whole = blocks.sum() / (n * (n - 1)) - 2 * beside.sum() / n
        left = n - each
        rest = blocks.sum() - 2 * blocks.sum(1) + np.diag(blocks)
        without = rest / (left * (left - 1)) - 2 * (beside.sum() - beside) / left
        return np.asarray(BLOCKS * whole - (BLOCKS - 1) * without)


def kernel(some: Array, others: Array) -> Array:
    """Return the cubic kernel of KID for every pair.

    Source: M. Bińkowski, D. J. Sutherland, M. Arbel and A. Gretton (2018), "Demystifying MMD
    GANs", ICLR.
    """
    base = some @ others.T / some.shape[1] + 1
    return np.asarray(base * base * base)  # numpy's powers take ten times as long


@lru_cache
def pool(name: str) -> Pool:
    """Return the pool of a variant of the example."""
    with np.load(FILE, allow_pickle=False) as kept:
        return Pool(kept[name].astype(np.float64), kept["real"].astype(np.float64))


def draw_places(rng: np.random.Generator, draws: int, images: int) -> Places:
    """Draw images of the pool with replacement, in blocks: shape (draws, blocks, of a block)."""
    return rng.integers(0, POOL, (draws, BLOCKS, images // BLOCKS), dtype=np.intp)
