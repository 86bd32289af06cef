"""What becomes of each spine by the next session, and where each came from."""

from __future__ import annotations

import numpy as np

# a spine expected this close to the edge of the other session's stack may have left it
EDGE_UM = 1.0


def fates(
    tracks: list[np.ndarray], expected: dict[tuple[int, int], np.ndarray], sizes_um: list[np.ndarray]
) -> list[np.ndarray]:
    """What becomes of each spine by the next session.

    Parameters
    ----------
    tracks : for each session the track of each spine
    expected : for sessions (i, j), also j < i, where the spines of i should lie in j (`correspond`)
    sizes_um : extent (z, y, x) of each session's stack

    Returns
    -------
    for each session `stable`, `lost`, `out of field` (the next session does not show where it was), `hidden` (seen
    again in a later session) or, in the last session, `last`
    """
    out = []
    for session, ids in enumerate(tracks):
        if session + 1 == len(tracks):
            out.append(np.full(len(ids), "last", object))
            continue
        later = np.concatenate([*tracks[session + 2 :], np.zeros(0, int)])
        fate = np.where(np.isin(ids, later), "hidden", "lost").astype(object)
        fate[outside(expected[session, session + 1], sizes_um[session + 1])] = "out of field"
        fate[np.isin(ids, tracks[session + 1])] = "stable"
        out.append(fate)
    return out


def outside(points_um: np.ndarray, size_um: np.ndarray) -> np.ndarray:
    """Which points (N, 3) lie outside of a stack or within `EDGE_UM` of its edge."""
    return ((points_um < EDGE_UM) | (points_um > np.asarray(size_um) - EDGE_UM)).any(axis=1).reshape(-1)
