"""Synapses of random volumes, cut at random: labels, objects and counts in blocks must be those of the whole."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

from runner import Row, measure, write_rows
from spinome.cuboids import Cuboid, Shape, cuboids
from spinome.io.volumes import Volume
from spinome.synapses.classify import Evidence
from spinome.synapses.density.blocks import block_axes, count_voxels, gather_counts
from spinome.synapses.grey import Grey
from spinome.synapses.objects.detect import detect, take_given
from spinome.synapses.objects.merge import Rules, merge_parts
from spinome.synapses.objects.patches import Parts, paint_parts, save_parts
from volumes import draw_cut, draw_labels, draw_mask, draw_probability, draw_shape

VOXEL_NM = (160.0, 80.0, 78.125)
VOXEL_UM3 = 0.001
VOLUMES, CUTS = 5_000, 4


@dataclass(frozen=True)
class Specimen:
    """A volume with given labels, or with probabilities and a threshold; and all that is asked of it but the cut."""

    labels: np.ndarray | None
    probability: np.ndarray | None
    threshold: float
    valid: np.ndarray | None
    connectivity: int
    rules: Rules
    block_um: tuple[float, float, float]

    @property
    def shape(self) -> Shape:
        return (self.probability if self.labels is None else self.labels).shape

    def parts(self, cuboid: Cuboid) -> Parts:
        """Parts of the synapses in a cuboid."""
        if self.labels is not None:
            return take_given(Volume(self.labels, VOXEL_NM, "labels"), cuboid)
        evidence = Evidence(Volume(self.probability, VOXEL_NM, "image"), Grey(128.0, 32.0))
        return detect(evidence, cuboid, lambda _, piece: self.probability[piece.core], self.threshold)


@dataclass(frozen=True)
class Found:
    """Labels (Z, Y, X), the table of objects, and the voxels of each object in each block."""

    labels: np.ndarray
    objects: pd.DataFrame
    counts: pd.DataFrame

    def differences(self, other: Found) -> list[str]:
        """What is not the same to the last bit."""
        differing = [] if np.array_equal(self.labels, other.labels) else ["labels"]
        for name in ("objects", "counts"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if not (mine.equals(theirs) and mine.dtypes.equals(theirs.dtypes)):
                differing.append(name)
        return differing


def draw_specimen(random: Random) -> Specimen:
    """Given labels or probabilities, all connectivities, rules or none, a mask or none, blocks of any size."""
    shape = draw_shape(random)
    labels = probability = None
    threshold = 0.5
    if random.random() < 0.5:
        labels = draw_labels(random, shape)
    else:
        probability, threshold = draw_probability(random, shape)
    return Specimen(
        labels,
        probability,
        threshold,
        draw_mask(random, shape),
        random.choice([6, 18, 26]),
        draw_rules(random) if random.random() < 0.4 else Rules(),
        tuple(random.uniform(1, 1.5 * length) * size / 1000 for length, size in zip(shape, VOXEL_NM)),
    )


def draw_rules(random: Random) -> Rules:
    """Rules about patches and objects of a few voxels, some of them left out."""
    area = VOXEL_NM[1] * VOXEL_NM[2] / 1e6
    return Rules(
        min_area_um2=random.choice([0, 0, 2, 4]) * area,
        max_area_um2=random.choice([None, None, 9 * area]),
        min_volume_um3=random.choice([0, 0, 3, 10]) * VOXEL_UM3,
        min_sections=random.choice([1, 1, 2, 3]),
        min_peak=random.choice([0, 0, 0.95]),
    )


def find(specimen: Specimen, size: Shape, folder: Path) -> Found:
    """Synapses by way of cuboids of a size, whose parts are merged from files in a folder, as in the workflow."""
    shape = specimen.shape
    pieces = list(cuboids(shape, size))
    parts = [specimen.parts(piece) for piece in pieces]
    files = [folder / f"{piece.name}.npz" for piece in pieces]
    for own, file in zip(parts, files):
        save_parts(file, own)
    objects, ids = merge_parts(files, shape, VOXEL_NM, specimen.connectivity, specimen.rules, measured=True)
    axes, grid = block_axes(shape, VOXEL_NM, specimen.block_um)
    labels, counts = np.zeros(shape, np.uint64), []
    for piece, own, found in zip(pieces, parts, ids):
        labels[piece.core] = paint_parts(own, found.astype(np.uint64))
        valid = None if specimen.valid is None else specimen.valid[piece.core]
        within = [axis[part] for axis, part in zip(axes, piece.core)]
        counts.append(count_voxels(own.runs, found[own.runs[:, -1]], valid, within, grid))
    return Found(labels, objects, gather_counts(pd.concat(counts)))


def compare(seed: int, cuts: int, folder: Path) -> Iterator[tuple[Specimen, Found, Shape, list[str]]]:
    """A random specimen, what is found in it as a whole, and for each of some random cuts what differs."""
    random = Random(seed)
    specimen = draw_specimen(random)
    whole = find(specimen, specimen.shape, folder)
    for _ in range(cuts):
        size = draw_cut(random, specimen.shape, most=16)
        yield specimen, whole, size, whole.differences(find(specimen, size, folder))


def try_out(seeds: Sequence[int], cuts: int) -> Counter:
    """How many cuts there were of each kind, by `kinds`, and how many of these gave what the whole gives."""
    tally = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            for specimen, whole, size, differing in compare(seed, cuts, Path(folder)):
                for kind in kinds(specimen, whole, size):
                    tally[kind, "cuts"] += 1
                    tally[kind, "equal"] += not differing
                if differing:
                    print(f"seed {seed}, cuboids of {size}: {' and '.join(differing)} differ from those of the whole")
    return tally


def kinds(specimen: Specimen, whole: Found, size: Shape) -> list[str]:
    """What a cut of a specimen is an example of."""
    per_um3 = len(whole.objects) / (np.prod(specimen.shape) * VOXEL_UM3)
    named = {
        f"given labels, connectivity {specimen.connectivity}": specimen.labels is not None,
        f"detected probabilities, connectivity {specimen.connectivity}": specimen.labels is None,
        "patches and objects dropped by rules": specimen.rules != Rules(),
        "no object": not per_um3,
        "up to 2 objects a um3": 0 < per_um3 <= 2,
        "2 to 20 objects a um3": 2 < per_um3 <= 20,
        "more than 20 objects a um3": per_um3 > 20,
        "volumes of one section, row or column": 1 in specimen.shape,
        "cuboids of one voxel along an axis": 1 in size,
        "cuboids that do not divide the volume": any(length % step for length, step in zip(specimen.shape, size)),
    }
    return ["all", *(name for name, holds in named.items() if holds)]


def rows() -> list[Row]:
    """How many cuts of each kind gave the labels, objects and counts of the whole."""
    measured = measure(try_out, range(VOLUMES), CUTS)
    tally = measured.result
    what = f"random cuts of {VOLUMES:,} random volumes: labels, objects and counts in blocks as of the whole"
    table = [Row(what, tally["all", "equal"], "cuts", tally["all", "cuts"])]
    for kind in sorted({kind for kind, _ in tally} - {"all"}):
        table.append(Row(f"of these: {kind}", tally[kind, "equal"], "cuts", tally[kind, "cuts"]))
    return [*table, Row("their time, the whole volumes included", measured.cpu_s, "CPU-s")]


if __name__ == "__main__":
    write_rows("chunkings", rows())
