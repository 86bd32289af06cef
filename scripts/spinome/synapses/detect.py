"""The parts of synapses in one cuboid, from its image or from a given label volume."""

from __future__ import annotations

import numpy as np

from spinome.blocks import Cuboid
from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence, describe, probability_map
from spinome.synapses.forest import FlatForest
from spinome.synapses.parts import find_parts


def synapse_probability(
    evidence: Evidence, cuboid: Cuboid, forest: FlatForest, contrast: float, vesicle_threshold: float
) -> np.ndarray:
    """Probability of a synapse at each voxel of a cuboid's core, zero where there is no membrane: float32.

    The cuboid needs the halo of `spinome.synapses.classify.halo`; then the result does not depend on its size.
    """
    where, described = describe(evidence, cuboid, contrast, vesicle_threshold)
    return probability_map(where, described, forest, cuboid.shape)


def detect(
    evidence: Evidence,
    cuboid: Cuboid,
    forest: FlatForest,
    *,
    threshold: float,
    contrast: float,
    vesicle_threshold: float,
) -> dict[str, np.ndarray]:
    """Parts of the synapses in a cuboid, where the probability reaches the threshold; see `parts.find_parts`."""
    probability = synapse_probability(evidence, cuboid, forest, contrast, vesicle_threshold)
    found = (probability >= threshold).astype(np.uint8)
    return find_parts(found, probability, cuboid.start, evidence.image.shape)


def take_given(labels: Volume, cuboid: Cuboid) -> dict[str, np.ndarray]:
    """Parts of the given synapses in a cuboid; see `parts.find_parts`."""
    values = labels[cuboid.core]
    if values.dtype.kind == "i" and (values < 0).any():
        raise ValueError(f"{labels.source}: has negative labels; 0 is background and objects are above it")
    return find_parts(values.astype(np.int64), None, cuboid.start, labels.shape)
