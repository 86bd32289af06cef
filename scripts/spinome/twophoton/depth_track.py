"""One spine, one id through the slices of a stack."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from spinome.scores.matching import match_within

# boxes of one spine in neighbouring slices lie this close, and never farther than half a box
REACH_UM = 0.45
# boxes that another program or a person gave overlap by this at least (intersection over union): nothing has to be
# known of how large they are
OVERLAP = 0.1
# cost of a missed slice, as a share of the reach: an unbroken spine comes first
WAITING = 0.1
# depth that a spine's score is taken over
SCORED_UM = 3.0
# two spines that lie closer than this, in the plane and along z in um, are one
DOUBLE_UM, DOUBLE_Z = 0.5, 3.0
# Gaussian widths of the band in which a head stands out from shaft and background
HEAD_BAND_UM = (0.24, 0.6)
Near = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
SPINE_COLUMNS = [
    "candidate",
    "given",
    "score",
    "z_um",
    "z_slice",
    "y_um",
    "x_um",
    "side_um",
    "first_slice",
    "last_slice",
    "slices",
]


def depth_track(boxes: pd.DataFrame, gap_slices: int = 1, reach_um: float = REACH_UM) -> pd.Series:
    """Give boxes of neighbouring slices that belong to one spine the same id, by the distance of their centres.

    Slice by slice, boxes are assigned to the spines that are still open at the least total distance (Hungarian);
    a spine stays open over `gap_slices` slices without a box, empty slices included.

    Parameters
    ----------
    boxes : frame with `slice y_um x_um side_um score`, rows in any order
    gap_slices : slices that may be missed
    reach_um : largest in-plane distance between a box and the last box of its spine

    Returns
    -------
    id of each row, from 0 in order of the first slice, indexed as `boxes`
    """

    def near(own: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distance = np.linalg.norm(own[:, None, :2] - last[None, :, :2], axis=-1)
        return distance / reach_um, distance <= np.minimum(reach_um, own[:, 2] / 2)[:, None]

    return _track(boxes, gap_slices, near)


def overlap_track(boxes: pd.DataFrame, gap_slices: int = 1) -> pd.Series:
    """The same by the overlap of boxes, `OVERLAP` at least, whatever unit they are measured in."""

    def near(own: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shared = overlaps(own, last)
        return 1 - shared, shared >= OVERLAP

    return _track(boxes, gap_slices, near)


def _track(boxes: pd.DataFrame, gap_slices: int, near: Near) -> pd.Series:
    """`near` takes the boxes of a slice and the last ones of open spines, y, x and side, for their costs and pairs."""
    ids = pd.Series(-1, index=boxes.index, dtype=int)
    opened: dict[int, tuple[int, np.ndarray]] = {}
    following = 0
    for z, group in boxes.sort_values(["slice", "score"], ascending=[True, False]).groupby("slice"):
        opened = {spine: last for spine, last in opened.items() if z - last[0] <= gap_slices + 1}
        own = group[["y_um", "x_um", "side_um"]].to_numpy(float)
        taken = np.full(len(group), -1)
        if opened:
            names = list(opened)
            cost, within = near(own, np.stack([opened[name][1] for name in names]))
            waiting = np.array([z - opened[name][0] - 1 for name in names])
            rows, columns = match_within(cost + WAITING * waiting, within)
            taken[rows] = np.array(names)[columns]
        for row in np.flatnonzero(taken < 0):
            taken[row] = following
            following += 1
        for name, here in zip(taken, own):
            opened[int(name)] = (int(z), here)
        ids[group.index] = taken
    return ids


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of squares (N, 3) and (M, 3): y, x and side in one unit."""
    sides = first[:, None, 2], second[None, :, 2]
    shared = np.ones((len(first), len(second)))
    for axis in range(2):
        apart = np.abs(first[:, None, axis] - second[None, :, axis])
        shared *= np.clip((sides[0] + sides[1]) / 2 - apart, 0, np.minimum(*sides))
    return shared / np.maximum(sides[0] ** 2 + sides[1] ** 2 - shared, 1e-12)


def find_spines(
    boxes: pd.DataFrame, stack: np.ndarray, voxel_um: tuple[float, float, float], gap_slices: int = 1
) -> tuple[pd.DataFrame, pd.Series]:
    """Make spines of the boxes of a stack: track through depth, join doubles, find each head's slice.

    Returns
    -------
    spines with `SPINE_COLUMNS`, and the `candidate` of each box (-1 where it is part of a double)
    """
    ids = depth_track(boxes, gap_slices)
    spines = without_doubles(summarise(boxes, ids, voxel_um[0], len(stack)), voxel_um[0])
    spines["z_slice"] = focus(stack, voxel_um, spines)
    spines["z_um"] = spines["z_slice"] * voxel_um[0]
    return spines.assign(given=False)[SPINE_COLUMNS], ids.where(ids.isin(spines["candidate"]), -1)


def given_spines(boxes: pd.DataFrame, slice_um: float, gap_slices: int = 1) -> tuple[pd.DataFrame, pd.Series]:
    """Make spines of boxes that a person or another program gave: each where it was given.

    Boxes with an `id` are those of one spine where they share it; without, they are joined through depth. Nothing is
    looked for in the image and nothing is taken for a double: whoever gave the boxes has decided. A spine scores as its
    best box, since a person may draw one box where a detector finds one in each slice.

    Parameters
    ----------
    boxes : as `depth_track` takes them, and optional `id`, negative or empty where a box has none
    slice_um : distance of slices
    gap_slices : slices that may be missed, of boxes without an id

    Returns
    -------
    spines with `SPINE_COLUMNS`, and the `candidate` of each box
    """
    # a box of no weight has no place
    boxes = boxes.assign(score=boxes["score"].clip(lower=1e-6))
    ids = overlap_track(boxes, gap_slices)
    if "id" in boxes:
        known = boxes["id"].notna() & (boxes["id"] >= 0)
        ids = overlap_track(boxes[~known], gap_slices).reindex(boxes.index)
        first = 0 if known.all() else int(ids.max()) + 1
        ids[known] = first + pd.factorize(boxes.loc[known, "id"])[0]
        ids = ids.astype(int)
    spines = summarise(boxes, ids, slice_um)
    spines["score"] = spines["candidate"].map(boxes["score"].groupby(ids).max()).astype(float)
    spines["z_um"] = spines["z_slice"] * slice_um
    return spines.assign(given=True)[SPINE_COLUMNS], ids


def summarise(boxes: pd.DataFrame, ids: pd.Series, slice_um: float, depth: int | None = None) -> pd.DataFrame:
    """One row per spine, from its boxes weighted by score.

    `score` is the mean of the best boxes over `SCORED_UM` of depth, a slice without a box counting as 0: a spine is
    seen as far as the point-spread function reaches, noise is not. A stack of fewer slices (`depth`), such as a flat
    image, is asked for no more than it has. `z_slice` is the weighted mean slice.
    """
    best = max(1, round(SCORED_UM / slice_um))
    if depth is not None:
        best = min(best, depth)
    frame = boxes.assign(candidate=ids, weight=boxes["score"] ** 2).sort_values("score", ascending=False)
    grouped = frame.groupby("candidate")
    weighted = frame[["slice", "y_um", "x_um", "side_um"]].mul(frame["weight"], axis=0)
    total = weighted.groupby(frame["candidate"]).sum().div(grouped["weight"].sum(), axis=0)
    out = total.rename(columns={"slice": "z_slice"})
    out["score"] = grouped["score"].head(best).groupby(frame["candidate"]).sum() / best
    out["first_slice"], out["last_slice"] = grouped["slice"].min(), grouped["slice"].max()
    out["slices"] = grouped.size()
    return out.reset_index()


def without_doubles(spines: pd.DataFrame, slice_um: float, apart_um: float = DOUBLE_UM) -> pd.DataFrame:
    """Leave out spines that lie on a better one: closer than `apart_um` in the plane and the same depth."""
    order = spines.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)
    place = order[["z_slice", "y_um", "x_um"]].to_numpy(float) * [slice_um / DOUBLE_Z, 1 / apart_um, 1 / apart_um]
    keep = np.ones(len(order), bool)
    # a cylinder holds a double, so the search in its ball is followed by a test of both extents
    for one, near in enumerate(cKDTree(place).query_ball_point(place, np.sqrt(2)) if len(place) else []):
        for other in near:
            if keep[one] and other > one:
                apart = np.abs(place[one] - place[other])
                keep[other] &= not (apart[0] < 1 and np.hypot(*apart[1:]) < 1)
    return order[keep].sort_values("candidate", ignore_index=True)


def focus(stack: np.ndarray, voxel_um: tuple[float, float, float], spines: pd.DataFrame) -> np.ndarray:
    """The slice (float) in which each head is brightest over its surroundings, near where its boxes lie."""
    if spines.empty:
        return np.zeros(0)
    rows, columns = (
        np.clip((spines[f"{axis}_um"] / size).round().astype(int), 0, length - 1)
        for axis, size, length in zip("yx", voxel_um[1:], stack.shape[1:])
    )
    widths = [[width / size for size in voxel_um[1:]] for width in HEAD_BAND_UM]
    profile = np.empty((len(spines), len(stack)))
    for z, image in enumerate(np.sqrt(np.maximum(stack.astype(np.float32) - np.median(stack), 0))):
        profile[:, z] = np.subtract(*(ndimage.gaussian_filter(image, width)[rows, columns] for width in widths))
    profile = ndimage.gaussian_filter1d(profile, 0.7 / voxel_um[0], axis=1)
    slices = np.arange(len(stack))
    start = spines["z_slice"].to_numpy(float)
    near = np.abs(slices - start[:, None]) <= 2.5 / voxel_um[0]
    peak = np.where(near, profile, -np.inf).argmax(axis=1)
    weight = np.where(np.abs(slices - peak[:, None]) <= 1.5 / voxel_um[0], np.maximum(profile, 0), 0)
    total = weight.sum(axis=1)
    return np.where(total > 0, (weight * slices).sum(axis=1) / np.maximum(total, 1e-12), start)
