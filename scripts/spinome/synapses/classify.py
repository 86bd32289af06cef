"""The voxel classifier: what it is trained on, and the probability of a synapse at the voxels of a cuboid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import edt
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from spinome.cuboids import Cuboid
from spinome.flat_forest import CompleteForest
from spinome.io.volumes import (
    Volume,
    VoxelSize,
    open_labels,
    open_probability,
    open_volume,
    require_same_grid,
    require_voxel_size,
)
from spinome.seeds import seed_of
from spinome.synapses.forest import features, vesicles
from spinome.synapses.forest import membrane_mask as gate
from spinome.synapses.grey import Grey

NEGATIVE_DISTANCE_NM = 80.0
SMOOTH_NM = 40.0


@dataclass(frozen=True)
class Evidence:
    """What is known of a volume: its image, and the maps that the sample sheet gives for it, if any."""

    image: Volume
    grey: Grey
    membrane: Volume | None = None
    vesicles: Volume | None = None

    @property
    def voxel_nm(self) -> VoxelSize:
        return self.image.voxel_nm


def open_evidence(row: Mapping[str, Any], grey: Grey) -> Evidence:
    """Open what a row of the sample sheet says of a volume: `image voxel_nm`, and `membrane vesicles` for forests.

    Raises
    ------
    ValueError: if there is no voxel size, or the maps do not lie on the grid of the image.
    """
    image = open_volume(row["image"], row["voxel_nm"])
    require_voxel_size(image)
    membrane = open_probability(row["membrane"], row["voxel_nm"]) if row.get("membrane") else None
    spots = open_labels(row["vesicles"], row["voxel_nm"]) if row.get("vesicles") else None
    require_same_grid([image, *(given for given in (membrane, spots) if given)])
    return Evidence(image, grey, membrane, spots)


@dataclass(frozen=True)
class Recipe:
    """How voxels are chosen and described.

    `contrast` of the gate where there is no membrane map; `vesicle_threshold` of the score and `profile` of a vesicle
    (see `spinome.synapses.forest.vesicle_profile`) where there is no vesicle map; `original` for the features as
    published.
    """

    contrast: float = 1.0
    vesicle_threshold: float = 1.05
    original: bool = False
    profile: np.ndarray | None = None


def halo(voxel_nm: VoxelSize, given_vesicles: bool, original: bool = False) -> tuple[int, int, int]:
    """Voxels (z, y, x) around a cuboid that the probabilities within it depend on."""
    reach = np.array(features.reach_nm(voxel_nm, original))
    if not given_vesicles:
        reach += vesicles.reach_nm(voxel_nm)
    reach = np.maximum(reach, gate.reach_nm(voxel_nm))
    reach += np.array([0.0, SMOOTH_NM, SMOOTH_NM])
    return tuple(int(margin) for margin in np.ceil(reach / np.asarray(voxel_nm)))


def describe(
    evidence: Evidence, cuboid: Cuboid, recipe: Recipe, chosen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features at the voxels of a cuboid's core that pass the membrane gate.

    Parameters
    ----------
    cuboid : place of the cuboid, with a halo of at least `halo`
    chosen : (core shape) bool, the only voxels wanted; all where None

    Returns
    -------
    where : (N, 3) int voxels (z, y, x) in the core
    features : (N, 10) float32
    """
    levels = evidence.grey.levels(evidence.image[cuboid.padded])
    if evidence.membrane is None:
        passed = gate.dark_gate(levels, evidence.voxel_nm, recipe.contrast)
    else:
        passed = gate.membrane_gate(evidence.membrane[cuboid.padded], evidence.voxel_nm)
    passed = passed[cuboid.inner]
    where = np.argwhere(passed if chosen is None else passed & chosen)
    if not len(where):
        return where, np.empty((0, len(features.FEATURES)), np.float32)
    if evidence.vesicles is None:
        spots = vesicles.detect_vesicles(levels, evidence.voxel_nm, recipe.vesicle_threshold, recipe.profile)
    else:
        spots = evidence.vesicles[cuboid.padded] > 0
    offset = [axis.start for axis in cuboid.inner]
    return where, features.compute_features(levels, spots, where + offset, evidence.voxel_nm, recipe.original)


def probability_map(where: np.ndarray, described: np.ndarray, forest: CompleteForest, shape: tuple) -> np.ndarray:
    """Probability of a synapse at every voxel of a core, zero outside of the gate: float32 of `shape`."""
    result = np.zeros(shape, np.float32)
    result[tuple(where.T)] = forest.probabilities(described)
    return result


def training_classes(truth: np.ndarray, voxel_nm: VoxelSize) -> np.ndarray:
    """1 where there is a synapse, 0 at least 80 nm from any, -1 between, which training leaves out: int8.

    Distances weigh sections by their thickness.
    """
    synapse = truth > 0
    classes = np.where(synapse, 1, 0).astype(np.int8)
    if synapse.any():
        distance = edt.edt(~synapse, anisotropy=voxel_nm, black_border=False)
        classes[~synapse & (distance < NEGATIVE_DISTANCE_NM)] = -1
    return classes


def draw(classes: np.ndarray, share: float, name: str, seed: int) -> np.ndarray:
    """Choose voxels to train on: every positive, and each negative with the probability `share`; bool."""
    rng = np.random.default_rng(seed_of(name, seed))
    return (classes == 1) | ((classes == 0) & (rng.random(classes.shape, np.float32) < share))


def balance(described: np.ndarray, labels: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw at most `most` voxels of each class.

    Raises
    ------
    ValueError: if a class has no voxel.
    """
    rng = np.random.default_rng(seed)
    kept = []
    for value, name in ((1, "synapse"), (0, "background")):
        rows = np.flatnonzero(labels == value)
        if not len(rows):
            raise ValueError(f"no {name} voxel passes the membrane gate in the training volumes; check their truth")
        kept.append(rng.permutation(rows)[:most])
    rows = np.sort(np.concatenate(kept))
    return described[rows], labels[rows]


def fit(described: np.ndarray, labels: np.ndarray, trees: int, depth: int, seed: int) -> RandomForestClassifier:
    """Train a forest, three features per split as published, on float32 features (N, 10) and labels 0 or 1."""
    forest = RandomForestClassifier(trees, max_depth=depth, max_features=3, random_state=seed, n_jobs=1)
    return forest.fit(described, labels)
