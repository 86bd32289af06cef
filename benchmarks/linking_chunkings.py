"""Linking in random volumes, cut at random: graph, segments, meshes and candidates must be those of the whole.

Volumes are drawn as in `tests/volumes.py`, from nearly empty to full, and cut down to cuboids of one voxel along an
axis. The tests hold the same together for volumes that hypothesis draws.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from random import Random

import numpy as np
import pandas as pd

from runner import Row, measure
from spinome.cuboids import Shape, and_next, cuboids
from spinome.linking.candidates import group_candidates, group_names
from spinome.linking.contacts import find_contacts, join_contacts
from spinome.linking.measure import centroids, join_measured, join_nearest, nearest_voxels, with_inside
from spinome.linking.measure import measure as measure_cuboid
from spinome.linking.pieces import find_pieces, gather, weld_pieces
from spinome.linking.typing import measure_segments
from volumes import draw_cut, draw_membrane, draw_objects, draw_shape

VOXEL_NM, WHOLE = (40.0, 24.0, 24.0), (1, 1, 1)
VOLUMES, CUTS, MOST_VOXELS, MOST_ORPHANS, RADIUS_NM = 100, 2, 1500, 4, 300.0


def graph(labels: np.ndarray, membrane: np.ndarray, size: Shape) -> list[np.ndarray]:
    """Regions and contacts by way of cuboids of a size."""
    parts = [
        find_contacts(labels[box], membrane[box], VOXEL_NM, block.shape)
        for block in cuboids(labels.shape, size)
        for box in [and_next(block, labels.shape)]
    ]
    return list(astuple(join_contacts(lambda: parts)))


def segments(labels: np.ndarray, size: Shape) -> pd.DataFrame:
    """Measures of segments by way of cuboids of a size."""
    blocks = list(cuboids(labels.shape, size))
    parts = [measure_cuboid(lambda box: labels[box], block, labels.shape, VOXEL_NM) for block in blocks]
    frame = join_measured(lambda: parts, labels.shape, VOXEL_NM, WHOLE)
    ids, centres = frame["segment"].to_numpy().astype(np.uint64), centroids(frame, VOXEL_NM)
    nearest = [(ids, *nearest_voxels(labels[block.core], block, ids, centres, VOXEL_NM)) for block in blocks]
    return with_inside(frame, join_nearest(nearest, ids), VOXEL_NM, WHOLE)


def surfaces(labels: np.ndarray, size: Shape) -> list[np.ndarray]:
    """Vertices and faces of all segments, one after the other, by way of cuboids of a size."""
    parts = {
        block.name: find_pieces(lambda box: labels[box], block, labels.shape) for block in cuboids(labels.shape, size)
    }
    found = gather(list(parts), parts.__getitem__, np.unique(labels[labels != 0]).tolist())
    return [array for label in sorted(found) for array in weld_pieces(found[label])[:2]]


def candidates(labels: np.ndarray, membrane: np.ndarray, rows: pd.DataFrame, edge_nm: float | None) -> pd.DataFrame:
    """Candidates of some segments among all others; orphans in one cube of an edge together, or each alone."""
    orphans, shafts = rows[:MOST_ORPHANS], rows["segment"].to_numpy()[MOST_ORPHANS:]
    names = orphans["segment"].astype(str) if edge_nm is None else group_names(orphans, edge_nm)
    parts = [
        group_candidates(labels, membrane, own, shafts, None, WHOLE, VOXEL_NM, RADIUS_NM)
        for _, own in orphans.groupby(names)
    ]
    # a table without rows has no types
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return table.sort_values(["orphan", "shaft", "end"], kind="stable", ignore_index=True)


def try_out(seeds: Sequence[int]) -> Counter:
    """How many cuts there were of each kind, and how many of these gave what the whole gives."""
    tally: Counter = Counter()

    def count(kind: str, equal: bool) -> None:
        tally[kind, "cuts"] += 1
        tally[kind, "equal"] += bool(equal)

    for seed in seeds:
        random = Random(seed)
        shape = draw_shape(random, MOST_VOXELS)
        labels, membrane = draw_objects(random, shape).astype(np.uint64), draw_membrane(random, shape)
        # more digits than a float holds
        labels[labels > 0] += np.uint64(random.choice([0, 2**62]))
        if not labels.any():
            continue
        rows, regions = measure_segments(labels, VOXEL_NM, WHOLE), graph(labels, membrane, shape)
        meshes = surfaces(labels, shape)
        alone = candidates(labels, membrane, rows, None)
        for _ in range(CUTS):
            size = draw_cut(random, shape)
            count("graph", all(map(np.array_equal, graph(labels, membrane, size), regions)))
            count("segments", segments(labels, size).equals(rows))
            welded = surfaces(labels, size)
            count("meshes", len(welded) == len(meshes) and all(map(np.array_equal, welded, meshes)))
            edge_nm = random.choice([60.0, 200.0, 1e6])
            count("candidates", candidates(labels, membrane, rows, edge_nm).equals(alone))
    return tally


def linking_chunking_rows() -> list[Row]:
    """How many random cuts gave what the whole gives, to the last bit."""
    tally = measure(try_out, range(VOLUMES)).result
    return [
        Row(f"{kind}, random cuts of {VOLUMES} random volumes, as of the whole", found, "cuts", tally[kind, "cuts"])
        for (kind, word), found in tally.items()
        if word == "equal"
    ]
