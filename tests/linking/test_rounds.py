"""Rounds merge what the whole graph would, and lose no voxel and no face between the blocks."""

import copy
from pathlib import Path

import numpy as np
import pytest

from spinome.cuboids import and_next, cuboids
from spinome.linking.agglomerate import TREE_COLUMNS, agglomerate, agglomerate_in_place, cut
from spinome.linking.contacts import count_superpixels, find_contacts, save_contacts
from spinome.linking.region_graph import region_graph
from spinome.linking.rounds import agglomerate_in_rounds, blocks_of

VOXEL = (10.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Superpixels of four voxels, one long one through every cuboid among them, and the contacts of cuboids."""
    rng = np.random.default_rng(7)
    labels = np.arange(1, 513).reshape(8, 8, 8).repeat(4, 0).repeat(4, 1).repeat(4, 2).astype(np.uint64)
    labels[:, 14:18, 14:18] = 1000
    # beyond the numbers with a sign
    labels[labels > 0] += np.uint64(2**63)
    membrane = rng.random((8, 8, 8)).repeat(4, 0).repeat(4, 1).repeat(4, 2).astype(np.float32)
    folder, files = tmp_path_factory.mktemp("contacts"), {}
    # the last cuboids are thin
    for block in cuboids(labels.shape, (10, 10, 10)):
        box = and_next(block, labels.shape)
        files[block.name] = folder / f"{block.name}.npz"
        save_contacts(files[block.name], find_contacts(labels[box], membrane[box], VOXEL, block.shape))
    return files, region_graph(labels, membrane, VOXEL)


def in_rounds(made, tmp_path, most, priority="mean", limit=0.4):
    files, _ = made
    blocks = blocks_of({name: count_superpixels(file) for name, file in files.items()}, most)
    return agglomerate_in_rounds(files, blocks, VOXEL, tmp_path, priority, limit=limit), blocks


def groups(tree, graph, threshold):
    """Superpixels of each segment."""
    segments = cut(tree, graph.labels, threshold)
    return {tuple(np.flatnonzero(segments == number)) for number in np.unique(segments)}


@pytest.mark.parametrize("most", [60, 200])
@pytest.mark.parametrize("threshold", [0.2, 0.4, 0.55])
def test_of_a_priority_that_never_falls_the_segments_are_the_same(made, tmp_path, most, threshold):
    tree, blocks = in_rounds(made, tmp_path, most)
    assert len(blocks) > 1 and list(tree.columns) == list(TREE_COLUMNS)
    whole = agglomerate(made[1], "mean")
    assert len(tree) == len(whole) and (tree["left_voxels"] + tree["right_voxels"]).max() == 32**3
    assert groups(tree, made[1], threshold) == groups(whole, made[1], threshold)
    # the first round did some of it
    assert len(np.unique(cut(tree, made[1].labels, threshold))) < len(made[1].labels)
    assert any(file.name.startswith("1-") for file in Path(tmp_path).iterdir())


def test_blocks_are_boxes_that_hold_every_cuboid_once():
    counts = {f"{z}-{y}-{x}": 10 for z in (0, 64) for y in (0, 64, 128) for x in range(0, 640, 64)}
    blocks = blocks_of(counts, 100)
    assert sorted(name for block in blocks for name in block) == sorted(counts)
    for block in blocks:
        grid = np.array([[int(side) for side in name.split("-")] for name in block])
        assert len(block) <= 10 and len(block) == np.prod([len(np.unique(side)) for side in grid.T])
    assert blocks_of(counts, 600) == [sorted(counts, key=lambda name: tuple(map(int, name.split("-"))))]
    assert len(blocks_of(counts, 1)) == len(counts) and blocks_of({}, 5) == []


def test_nothing_is_merged_with_what_is_frozen(made):
    graph = made[1]
    frozen = np.zeros(len(graph.labels), bool)
    frozen[::7] = True
    left = agglomerate_in_place(copy.deepcopy(graph), "mean", None, frozen, 0.4)
    touched = np.searchsorted(graph.labels, np.concatenate([left["left"], left["right"]]))
    assert len(left) and not frozen[touched].any() and (left["priority"] < 0.4).all()
