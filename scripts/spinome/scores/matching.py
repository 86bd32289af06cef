"""One-to-one pairs of points that lie within reach of each other.

Used wherever as many pairs as possible are wanted. Matching with other aims stays where it is: boxes by falling score
(`spinome.scores.detection`), objects by overlap (`spinome.scores.objects`), and points that would rather stay alone
than change a field of displacements (`spinome.twophoton.correspond`).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def match_within(cost: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows with columns one to one: as many pairs within reach as there can be, of those the least total cost.

    Parameters
    ----------
    cost : (N, M) at least 0
    near : (N, M) bool, which pairs are within reach

    Returns
    -------
    Rows and columns of the pairs, rows ascending
    """
    # a pair out of reach costs more than all pairs within reach together, so the number of pairs comes first
    far = (cost.max(where=near, initial=0) + 1) * (min(cost.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(near, cost, far))
    kept = near[rows, columns]
    return rows[kept], columns[kept]


def match_points(
    found: np.ndarray, true: np.ndarray, lateral: float, axial: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Pair points one to one, as many as lie within reach of each other, at the least total lateral distance.

    Parameters
    ----------
    found, true : (N, 3) and (M, 3), z y x in one unit
    lateral, axial : reach in the plane and along z, in that unit

    Returns
    -------
    indices into `found` and into `true`, of equal length
    """
    if not len(found) or not len(true):
        return np.zeros(0, int), np.zeros(0, int)
    plane = np.linalg.norm(found[:, None, 1:] - true[None, :, 1:], axis=-1)
    near = (plane <= lateral) & (np.abs(found[:, None, 0] - true[None, :, 0]) <= axial)
    return match_within(plane, near)
