"""The backbones of dendrites: how long they are, and where along them each spine sits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage import morphology
from skimage.graph import MCP_Geometric

from spinome.twophoton.shaft import LENGTH_UM, Shafts

# depths along a backbone are smoothed over this length: those of a noisy slice would make it longer
SMOOTH_UM = 3.0
# steps that given backbones are cut into, and how far from one a spine may lie, um
STEP_UM, GIVEN_REACH_UM = 0.2, 4.0
NODE_COLUMNS = ["dendrite", "given", "length_um", "y_um", "x_um"]


@dataclass(frozen=True)
class Backbone:
    """A dendrite: its label in `Shafts` or the number it was given under, nodes (N, 2) y x in um, the distance (N,) of
    each from the reference along the dendrite, and the length of all its branches, both in um with the course through
    depth."""

    dendrite: int
    nodes_um: np.ndarray
    along_um: np.ndarray
    length_um: float


def trace(stack: np.ndarray, voxel_um: tuple[float, float, float], found: Shafts) -> list[Backbone]:
    """Trace every shaft: its longest path, then branches of at least `LENGTH_UM`, longest first.

    Bumps of the mask that spines make are shorter than a branch, so they do not add to the length. Distances along the
    dendrite begin at the end of the longest path that lies farther left.

    Parameters
    ----------
    stack : (Z, Y, X), registered
    voxel_um : voxel size (z, y, x)
    found : its shafts
    """
    depth = _depth(stack, voxel_um)
    out = []
    for label, box in enumerate(ndimage.find_objects(found.labels), 1):
        if box is None:
            continue
        skeleton = morphology.skeletonize(found.labels[box] == label)
        corner = np.array([side.start for side in box])
        paths = _branches(skeleton, voxel_um[1:])
        nodes, along, total = [], [], 0.0
        for path in paths:
            steps = np.linalg.norm(np.diff(_in_um(path, corner, depth, voxel_um), axis=0), axis=1)
            # a branch begins on a node that is there already
            start = 0.0
            if nodes:
                known = np.concatenate(nodes)
                start = np.concatenate(along)[np.argmin(np.abs(known - path[0]).sum(axis=1))]
            nodes.append(path)
            along.append(start + np.concatenate([[0.0], np.cumsum(steps)]))
            total += float(steps.sum())
        if nodes:
            place = (np.concatenate(nodes) + corner) * voxel_um[1:]
            out.append(Backbone(label, place, np.concatenate(along), total))
    return out


def given_backbones(dendrites: pd.DataFrame) -> list[Backbone]:
    """Backbones that a person traced; distances along them begin at their first node.

    Parameters
    ----------
    dendrites : frame `dendrite z_um y_um x_um`, nodes in order (`spinome.twophoton.truth.read_truth_dendrites`)
    """
    out = []
    for number, own in dendrites.groupby("dendrite"):
        nodes = own[["z_um", "y_um", "x_um"]].to_numpy(float)
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))])
        steps = np.linspace(0, along[-1], max(2, int(along[-1] / STEP_UM)))
        place = np.column_stack([np.interp(steps, along, axis) for axis in nodes[:, 1:].T])
        out.append(Backbone(int(number), place, steps, float(along[-1])))
    return out


def nearest_backbone(spines: pd.DataFrame, backbones: list[Backbone]) -> np.ndarray:
    """The dendrite (N,) that each spine (`y_um x_um`) lies nearest to in the plane, -1 beyond `GIVEN_REACH_UM`."""
    if not backbones or spines.empty:
        return np.full(len(spines), -1)
    nodes = np.concatenate([backbone.nodes_um for backbone in backbones])
    owner = np.repeat([backbone.dendrite for backbone in backbones], [len(own.nodes_um) for own in backbones])
    distance, nearest = cKDTree(nodes).query(spines[["y_um", "x_um"]].to_numpy(float))
    return np.where(distance <= GIVEN_REACH_UM, owner[nearest], -1)


def place_along(spines: pd.DataFrame, backbones: list[Backbone]) -> np.ndarray:
    """Distance (N,) along its dendrite of each spine from the reference, at the node nearest to its base, in um.

    Parameters
    ----------
    spines : frame `dendrite y_um x_um base_y_um base_x_um`; the head stands for a base that was not found

    Returns
    -------
    NaN where there is no dendrite
    """
    along = np.full(len(spines), np.nan)
    places = np.where(spines[["base_y_um"]].isna(), spines[["y_um", "x_um"]], spines[["base_y_um", "base_x_um"]])
    for backbone in backbones:
        own = (spines["dendrite"] == backbone.dendrite).to_numpy()
        if own.any():
            along[own] = backbone.along_um[cKDTree(backbone.nodes_um).query(places[own].astype(float))[1]]
    return along


def nodes(backbones: list[Backbone], given: bool) -> pd.DataFrame:
    """Frame with `NODE_COLUMNS`, a row a node; `given` where a person traced them."""
    tables = [pd.DataFrame(columns=NODE_COLUMNS)]
    for own in backbones:
        table = pd.DataFrame(own.nodes_um, columns=["y_um", "x_um"])
        tables.append(table.assign(dendrite=own.dendrite, given=given, length_um=own.length_um)[NODE_COLUMNS])
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    return table.astype({"dendrite": int, "given": bool} | dict.fromkeys(NODE_COLUMNS[2:], float))


def lengths_of(nodes: pd.DataFrame) -> pd.DataFrame:
    """Length of each backbone of `nodes`: `dendrite length_um`, in order."""
    return nodes[["dendrite", "length_um"]].drop_duplicates("dendrite").reset_index(drop=True)


def _branches(skeleton: np.ndarray, pixel_um: tuple[float, float]) -> list[np.ndarray]:
    """Paths (N, 2) of pixels of a skeleton: the longest first, then each from the node of the tree where it begins."""
    costs = np.where(skeleton, 1.0, -1.0)
    start = tuple(np.argwhere(skeleton)[0])
    for _ in range(2):
        reached, _ = MCP_Geometric(costs, sampling=pixel_um).find_costs([start])
        start, other = np.unravel_index(np.argmax(np.where(np.isfinite(reached), reached, -1)), skeleton.shape), start
    ends = sorted([tuple(map(int, start)), tuple(map(int, other))], key=lambda end: end[1])
    tree: list[tuple[int, int]] = [ends[0]]
    paths: list[np.ndarray] = []
    target = ends[1]
    while True:
        grown = MCP_Geometric(costs, sampling=pixel_um)
        reached, _ = grown.find_costs(tree)
        if paths:
            reached = np.where(np.isfinite(reached), reached, -1)
            target = np.unravel_index(int(np.argmax(reached)), skeleton.shape)
            if reached[target] < LENGTH_UM:
                return paths
        path = grown.traceback(target)
        paths.append(np.array(path))
        tree += path


def _depth(stack: np.ndarray, voxel_um: tuple[float, float, float]) -> np.ndarray:
    """Depth (Y, X) in um of the brightest slice after smoothing in the plane."""
    best, depth = np.full(stack.shape[1:], -np.inf, np.float32), np.zeros(stack.shape[1:], np.float32)
    for z, image in enumerate(stack):
        smooth = ndimage.uniform_filter(image.astype(np.float32), [max(1, round(0.5 / size)) for size in voxel_um[1:]])
        brighter = smooth > best
        best[brighter], depth[brighter] = smooth[brighter], z * voxel_um[0]
    return depth


def _in_um(path: np.ndarray, corner: np.ndarray, depth: np.ndarray, voxel_um) -> np.ndarray:
    """Nodes (N, 3) z y x in um of a path of pixels, smooth along itself so that its steps from pixel to pixel do not
    make it longer than it is."""
    rows, columns = (path + corner).T
    z = ndimage.median_filter(depth[rows, columns], max(1, round(SMOOTH_UM / voxel_um[1])), mode="nearest")
    nodes = np.column_stack([z, rows * voxel_um[1], columns * voxel_um[2]])
    widths = (SMOOTH_UM / voxel_um[1], *(0.5 / size for size in voxel_um[1:]))
    return np.column_stack(
        [ndimage.gaussian_filter1d(axis.astype(float), width, mode="nearest") for axis, width in zip(nodes.T, widths)]
    )
