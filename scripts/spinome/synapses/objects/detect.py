"""The parts of synapses in one cuboid, from its image or from a given label volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spinome.cuboids import Cuboid
from spinome.flat_forest import CompleteForest
from spinome.io.volumes import Volume
from spinome.synapses.classify import SMOOTH_NM, Evidence, Recipe, describe, probability_map
from spinome.synapses.forest.box_sums import box_count, box_sum
from spinome.synapses.forest.section_filters import odd_box
from spinome.synapses.objects.patches import Parts, find_parts

SMOOTH_UNIT = 10_000


def forest_probability(evidence: Evidence, cuboid: Cuboid, forest: CompleteForest, recipe: Recipe) -> np.ndarray:
    """Probability by features and forest at each voxel of a cuboid's core, averaged over 40 nm in the section: float32.

    It is zero where there is no membrane. The cuboid needs the halo of `spinome.synapses.classify.halo`; then the
    result does not depend on its size.
    """
    box = odd_box((0.0, SMOOTH_NM, SMOOTH_NM), evidence.voxel_nm)
    wider = _grow(cuboid, box)
    where, described = describe(evidence, wider, recipe)
    probability = probability_map(where, described, forest, wider.shape)
    _, along_y, along_x = box_count(wider.shape, box)
    # whole numbers, so that sums do not depend on where the cuboid begins
    total = box_sum(np.rint(probability * SMOOTH_UNIT).astype(np.int32), box)
    smooth = (total / (SMOOTH_UNIT * along_y[:, None] * along_x)).astype(np.float32)
    return smooth[
        tuple(slice(core.start - low.start, core.stop - low.start) for core, low in zip(cuboid.core, wider.core))
    ]


def _grow(cuboid: Cuboid, box: tuple[int, int, int]) -> Cuboid:
    """The cuboid with half a box of its halo added to its core."""
    core, inner = [], []
    for own, within, padded, length in zip(cuboid.core, cuboid.inner, cuboid.padded, box):
        low = max(own.start - length // 2, padded.start)
        high = min(own.stop + length // 2, padded.stop)
        core.append(slice(low, high))
        inner.append(slice(within.start + low - own.start, within.stop + high - own.stop))
    return replace(cuboid, core=tuple(core), inner=tuple(inner))


def detect(
    evidence: Evidence,
    cuboid: Cuboid,
    probability_of: Callable[[Evidence, Cuboid], np.ndarray],
    threshold: float,
) -> Parts:
    """Parts of the synapses in a cuboid, where the probability reaches the threshold; see `parts.find_parts`.

    `probability_of` is that of a `spinome.synapses.classifiers.Classifier`.
    """
    probability = probability_of(evidence, cuboid)
    found = (probability >= threshold).astype(np.uint8)
    return find_parts(found, probability, cuboid.start, evidence.image.shape, evidence)


def take_given(labels: Volume, cuboid: Cuboid) -> Parts:
    """Parts of the given synapses in a cuboid; see `parts.find_parts`.

    Raises
    ------
    ValueError: if a label is negative; the message names the file.
    """
    values = labels[cuboid.core]
    if values.dtype.kind == "i" and (values < 0).any():
        raise ValueError(f"{labels.source}: has negative labels; 0 is background and objects are above it")
    return find_parts(values.astype(np.uint64), None, cuboid.start, labels.shape)
