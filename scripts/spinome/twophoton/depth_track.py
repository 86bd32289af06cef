"""One spine, one id through the slices of a stack."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

# boxes of one spine in neighbouring slices lie this close, and never farther than half a box
REACH_UM = 0.45
SPINE_COLUMNS = [
    "candidate",
    "score",
    "z_slice",
    "y_um",
    "x_um",
    "side_um",
    "first_slice",
    "last_slice",
    "slices",
]


def depth_track(boxes: pd.DataFrame, gap_slices: int = 1, reach_um: float = REACH_UM) -> pd.Series:
    """Give boxes of neighbouring slices that belong to one spine the same id.

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
    ids = pd.Series(-1, index=boxes.index, dtype=int)
    opened: dict[int, tuple[int, np.ndarray]] = {}
    following = 0
    for z, group in boxes.sort_values(["slice", "score"], ascending=[True, False]).groupby("slice"):
        opened = {spine: last for spine, last in opened.items() if z - last[0] <= gap_slices + 1}
        place = group[["y_um", "x_um"]].to_numpy(float)
        reach = np.minimum(reach_um, group["side_um"].to_numpy(float) / 2)
        taken = np.full(len(group), -1)
        if opened:
            names = list(opened)
            last = np.stack([opened[name][1] for name in names])
            distance = np.linalg.norm(place[:, None] - last[None], axis=-1)
            # a missed slice costs a little, so that an unbroken spine comes first
            waiting = np.array([z - opened[name][0] - 1 for name in names])
            cost = distance + 0.1 * reach_um * waiting
            rows, columns = linear_sum_assignment(np.where(distance <= reach[:, None], cost, 1e3))
            near = distance[rows, columns] <= reach[rows]
            taken[rows[near]] = np.array(names)[columns[near]]
        for row in np.flatnonzero(taken < 0):
            taken[row] = following
            following += 1
        for name, here in zip(taken, place):
            opened[int(name)] = (int(z), here)
        ids[group.index] = taken
    return ids


def summarise(boxes: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """One row a spine, from its boxes weighted by score.

    Returns
    -------
    frame with `SPINE_COLUMNS`; `score` is the highest of its boxes, `z_slice` the weighted mean slice
    """
    frame = boxes.assign(candidate=ids, weight=boxes["score"] ** 2)
    weighted = frame[["slice", "y_um", "x_um", "side_um"]].mul(frame["weight"], axis=0)
    total = weighted.groupby(frame["candidate"]).sum().div(frame.groupby("candidate")["weight"].sum(), axis=0)
    grouped = frame.groupby("candidate")
    out = total.rename(columns={"slice": "z_slice"})
    out["score"] = grouped["score"].max()
    out["first_slice"], out["last_slice"] = grouped["slice"].min(), grouped["slice"].max()
    out["slices"] = grouped.size()
    return out.reset_index()[SPINE_COLUMNS]
