"""Agglomeration in rounds, where the region graph of a volume is larger than memory: first in blocks, then the rest.

A block is a box of cuboids with few enough superpixels. In the first round its graph is made of the contacts of its
own cuboids and merged up to a limit, lowest priority first, as that of a whole volume. Superpixels that the contacts of
two blocks name are not known whole in either: they are frozen. Where the turn of an edge of a frozen region comes
nothing is merged, since what is beyond the border decides, and the region on its other side is frozen from then on. In
the second round the merged regions of all blocks, whose sums are the sums of their parts, are one graph, and that is
merged to the end. What the first round merges touches nothing that is not known, so it is what the whole graph would
have merged too, as far as priorities do not fall when regions grow; `make bench-scale` measures the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from spinome.flat_forest import FlatForest
from spinome.io.units import VoxelSize
from spinome.linking.agglomerate import TREE_COLUMNS, agglomerate_in_place, roots_of
from spinome.linking.contacts import Contacts, join_contacts, read_contacts, save_contacts
from spinome.linking.region_graph import graph_of_contacts

# What is surely one neurite is merged in the first round. The tree may be cut lower, or higher: the second goes on to
# the end. The default threshold of segments.
LIMIT = 0.4


def blocks_of(superpixels: Mapping[str, int], most: int) -> list[list[str]]:
    """Cuboids in boxes of at most so many superpixels: boxes of too many are halved across their longest side.

    Parameters
    ----------
    superpixels : how many each cuboid has by its name, `z-y-x` with its place in the grid of cuboids
    most : of a box of several cuboids
    """
    places = {name: tuple(map(int, name.split("-"))) for name in superpixels}

    def halved(names: list[str]) -> list[list[str]]:
        if len(names) == 1 or sum(superpixels[name] for name in names) <= most:
            return [names]
        grid = np.array([places[name] for name in names])
        axis = int(np.ptp(grid, axis=0).argmax())
        middle = (grid[:, axis].min() + grid[:, axis].max() + 1) // 2
        halves = [[name for name in names if (places[name][axis] < middle) == lower] for lower in (True, False)]
        return [block for half in halves for block in halved(half)]

    return halved(sorted(superpixels, key=places.__getitem__)) if superpixels else []


def agglomerate_in_rounds(
    files: Mapping[str, Path],
    blocks: Sequence[Sequence[str]],
    voxel_nm: VoxelSize,
    scratch: Path,
    priority: str = "forest",
    forest: FlatForest | None = None,
    limit: float = LIMIT,
) -> pd.DataFrame:
    """The merge tree of a volume, of which one block or the merged regions of all are in memory at a time.

    Parameters
    ----------
    files : contacts of each cuboid (`spinome.linking.contacts`)
    blocks : names of cuboids, as `blocks_of` returns them
    scratch : folder for the contacts of merged regions
    limit : the first round merges below this priority

    Returns
    -------
    As `agglomerate`. Heights of the first round lie below the limit; those of the second begin anew
    """
    shared = _shared(files, blocks)
    trees, merged = [], []
    for number, block in enumerate(blocks):
        contacts = join_contacts(_reader([files[name] for name in block]))
        own = contacts.labels
        graph = graph_of_contacts(contacts, voxel_nm)
        del contacts
        tree = agglomerate_in_place(graph, priority, forest, np.isin(own, shared), limit)
        del graph
        trees.append(tree)
        roots = own[roots_of(len(own), np.searchsorted(own, tree["left"]), np.searchsorted(own, tree["right"]))]
        for name in block:
            merged.append(scratch / f"{number}-{name}.npz")
            save_contacts(merged[-1], _merged(read_contacts(files[name]), own, roots))
        print(f"block {number + 1} of {len(blocks)}: {len(own)} superpixels, {len(tree)} merges", flush=True)
    graph = graph_of_contacts(join_contacts(_reader(merged)), voxel_nm)
    print(f"second round: {len(graph.labels)} regions, {len(graph.pairs)} contacts", flush=True)
    trees.append(agglomerate_in_place(graph, priority, forest))
    every = pd.concat(trees, ignore_index=True)
    return every.assign(step=np.arange(len(every)))[list(TREE_COLUMNS)]


def _reader(files: Sequence[Path]) -> Callable[[], Iterator[Contacts]]:
    return lambda: map(read_contacts, files)


def _shared(files: Mapping[str, Path], blocks: Sequence[Sequence[str]]) -> np.ndarray:
    """The labels that the contacts of more than one block name, sorted."""
    once = np.zeros(0, np.uint64)
    more = np.zeros(0, np.uint64)
    for block in blocks:
        parts = [np.zeros(0, np.uint64)]
        for name in block:
            contacts = read_contacts(files[name])
            parts += [contacts.labels, contacts.sides.ravel()]
        named = np.unique(np.concatenate(parts))
        more = np.union1d(more, np.intersect1d(once, named, assume_unique=True))
        once = np.union1d(once, named)
    return more


def _merged(contacts: Contacts, labels: np.ndarray, roots: np.ndarray) -> Contacts:
    """The contacts of a cuboid between merged regions; faces within one of them are none any more.

    Parameters
    ----------
    labels, roots : sorted labels of the block, and the label of the merged region of each; others stay as they are
    """
    names, sides = (_renamed(given, labels, roots) for given in (contacts.labels, contacts.sides))
    sides = np.sort(sides, axis=1)
    apart = sides[:, 0] != sides[:, 1]
    regions, region = np.unique(names, return_inverse=True)
    pairs, pair = np.unique(sides[apart], axis=0, return_inverse=True)
    return Contacts(
        regions,
        *(_added(given, region, len(regions)) for given in (contacts.region_sums, contacts.region_histogram)),
        pairs.reshape(-1, 2),
        *(_added(given[apart], pair.ravel(), len(pairs)) for given in (contacts.face_sums, contacts.face_histogram)),
    )


def _renamed(given: np.ndarray, labels: np.ndarray, roots: np.ndarray) -> np.ndarray:
    place = np.searchsorted(labels, given).clip(max=max(len(labels) - 1, 0))
    return np.where(labels[place] == given, roots[place], given) if len(labels) else given


def _added(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Rows added up by group."""
    sums = np.zeros((groups, values.shape[1]), values.dtype)
    np.add.at(sums, group, values)
    return sums
