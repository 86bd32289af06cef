"""What a published network finds in volumes that nobody has labelled, for a network of Spinome to learn beside truth.

Its probabilities are the lesson: they say of real grey values what is a synapse, what is none, and what is doubtful.
Neither its weights nor its code become a part of what is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from spinome.cuboids import cuboids
from spinome.io.units import VoxelSize
from spinome.synapses.classify import Evidence
from spinome.synapses.network.adapt import adapt
from spinome.synapses.network.resampled import resampled_probability, scales
from spinome.synapses.network.unet import Network

CUBOID = (64, 512, 512)


@dataclass(frozen=True)
class Lesson:
    """What is learnt of a volume, at sections about as thick as those that the teacher was trained on.

    image : (Z, Y, X) of the dtype of the volume
    target : (Z, Y, X) float32, 0.5 where the teacher is as sure as its published threshold asks
    truth : (Z, Y, X) uint8, 1 where objects are that it finds by its published rules
    """

    image: np.ndarray
    target: np.ndarray
    truth: np.ndarray
    voxel_nm: VoxelSize


def teach(evidence: Evidence, teacher: Network) -> Lesson:
    """What a published network, fitted to a volume without labels, finds in it.

    Thin sections are averaged to the thickness that the teacher looks at.
    """
    fitted, shape = adapt(teacher, evidence), evidence.image.shape
    probability = np.empty(shape, np.float32)
    for piece in cuboids(shape, CUBOID):
        probability[piece.core] = resampled_probability(evidence, piece, fitted)
    deep, card = scales(evidence.voxel_nm)[0], teacher.card
    voxel_nm = (evidence.voxel_nm[0] * deep, *evidence.voxel_nm[1:])
    image, probability = thicken(evidence.image[:], deep), thicken(probability, deep)
    truth = (probability >= card["threshold"]).astype(np.uint8)
    least = card["min_volume_um3"] / (np.prod(voxel_nm) / 1e9)
    truth = (cc3d.dust(truth, threshold=least, connectivity=18) > 0).astype(np.uint8)
    return Lesson(image, np.clip(0.5 * probability / card["threshold"], 0, 1), truth, voxel_nm)


def thicken(values: np.ndarray, deep: int) -> np.ndarray:
    """Means of `deep` sections each, in the dtype of the values; sections that are left over at the end go."""
    whole = len(values) // deep * deep
    means = values[:whole].reshape(-1, deep, *values.shape[1:]).mean(axis=1, dtype=np.float32)
    return (means if values.dtype.kind == "f" else np.rint(means)).astype(values.dtype)
