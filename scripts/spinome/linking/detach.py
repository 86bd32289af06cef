"""Truth where there is none: real spines cut off at the neck, so that the shaft of each is known.

Gray Roncal (2016) detaches spines likewise to see what links are worth.
"""

from __future__ import annotations

import cc3d
import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.io.units import VoxelSize
from spinome.linking.protrusions import find_protrusions

CUT_COLUMNS = ["orphan", "shaft", "gap_nm", "cut_nm", "reach_nm", "volume_um3", "lost_um3", "z_nm", "y_nm", "x_nm"]
SPINE_UM3, SPINE_REACH_NM = (0.01, 0.6), 400.0
# a cut leaves this much of the spine's length at either end, and heads from this size on
STUMP_NM, HEAD_NM, HEAD_UM3 = 40.0, 200.0, 0.008
PROFILE_NM = 50.0  # step at which the neck's cross-section is looked at
ROUGHNESS_NM = 150.0  # length over which the noise of a cut changes
MARGIN_NM = 200.0


def detach_spines(
    labels: np.ndarray,
    shafts: np.ndarray,
    voxel_nm: VoxelSize,
    *,
    gap_nm: tuple[float, float] = (0.0, 300.0),
    noise_nm: float = 0.0,
    share: float = 1.0,
    seed: int = 0,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Cut spines off their dendrites.

    A spine is a protrusion of 0.01-0.6 um3 that reaches 400 nm out, hangs at one place and lies clear of the
    volume's edge. The gap is laid about the thinnest place of its inner two thirds, and shorter where the spine has
    no room for it; its voxels go to the nearest other label, so that nothing is left empty.

    Parameters
    ----------
    labels : (Z, Y, X) int
    shafts : labels of the dendrites
    voxel_nm : size of a voxel (z, y, x), about 30 nm
    gap_nm : length of neck that is lost, drawn between these
    noise_nm : standard deviation by which the surfaces of a cut are moved, smoothly over 150 nm
    share : share of the spines that are cut
    seed : seed of everything that is drawn

    Returns
    -------
    labels with each cut spine as a new label above the others, and a table of CUT_COLUMNS: `gap_nm` as it was cut,
    `cut_nm` its inner end from the shaft's surface, `reach_nm` the length of the spine, `volume_um3` and the
    centroid of the orphan, `lost_um3` what went to neighbours. A spine of two heads gives two rows.

    Raises
    ------
    ValueError: if none of the shafts is in the volume.
    """
    shafts = np.asarray(shafts).astype(labels.dtype)
    if not len(shafts) or not np.isin(labels, shafts).any():
        raise ValueError("none of the dendrites is in the volume; name labels of dendrites, or type the segments first")
    size = np.asarray(voxel_nm, dtype=np.float64)
    dendrites = np.where(np.isin(labels, shafts), labels, 0)
    number, out, found = find_protrusions(dendrites, voxel_nm)
    spines = found[
        found["volume_um3"].between(*SPINE_UM3)
        & (found["reach_nm"] >= SPINE_REACH_NM)
        & (found["feet"] == 1)
        & ~found["on_edge"]
    ]
    cut, rows = labels.astype(np.uint64), []
    following = int(labels.max()) + 1
    margin = np.ceil(MARGIN_NM / size).astype(int)
    for spine in spines.itertuples():
        rng = np.random.default_rng([seed, spine.z0, spine.y0, spine.x0])
        wanted, chosen = rng.uniform(*gap_nm), rng.random() < share
        low = np.maximum([spine.z0, spine.y0, spine.x0] - margin, 0)
        high = np.array([spine.z1, spine.y1, spine.x1]) + margin
        box = tuple(slice(a, b) for a, b in zip(low, high))
        mine = number[box] == spine.protrusion
        place = _gap(out[box][mine], wanted, float(np.prod(size)))
        if not chosen or place is None:
            continue
        way = out[box] + noise_nm * _smooth_noise(mine.shape, size, rng) if noise_nm else out[box]
        heads = cc3d.connected_components(mine & (way > place[1]), connectivity=6)
        volume = np.bincount(heads.ravel()) * np.prod(size) / 1e9
        kept = np.flatnonzero(volume >= HEAD_UM3)
        kept = kept[kept > 0]
        if not len(kept):
            continue
        lost = mine & (way > place[0]) & ~np.isin(heads, kept)
        part = cut[box]
        _give_away(part, lost, (part == spine.shaft) | mine)
        for head in kept:
            here = heads == head
            part[here] = following
            centre = (np.argwhere(here).mean(axis=0) + low + 0.5) * size
            rows.append(
                (
                    following,
                    spine.shaft,
                    place[1] - place[0],
                    place[0],
                    spine.reach_nm,
                    volume[head],
                    lost.sum() * np.prod(size) / 1e9,
                    *centre,
                )
            )
            following += 1
    smallest = np.uint32 if following < 1 << 32 else np.uint64
    return cut.astype(smallest), pd.DataFrame(rows, columns=CUT_COLUMNS)


def _gap(out: np.ndarray, wanted: float, voxel: float) -> tuple[float, float] | None:
    """Where along a spine (way out of its voxels, nm) a gap is cut, about its thinnest place; none without room."""
    room = float(out.max()) - HEAD_NM - STUMP_NM
    if room <= 0:
        return None
    bins = np.arange(0.0, out.max() + PROFILE_NM, PROFILE_NM)
    area = ndimage.uniform_filter1d(np.histogram(out, bins)[0] * voxel / PROFILE_NM, 3, mode="nearest")
    inner = max(int(0.66 * len(area)), 1)
    neck = bins[int(area[:inner].argmin())] + PROFILE_NM / 2
    gap = min(wanted, room)
    start = float(np.clip(neck - gap / 2, STUMP_NM, STUMP_NM + room - gap))
    return start, start + gap


def _smooth_noise(shape: tuple[int, ...], size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.normal(size=shape), ROUGHNESS_NM / size / 2)
    return noise / max(float(noise.std()), 1e-9)


def _give_away(part: np.ndarray, lost: np.ndarray, own: np.ndarray) -> None:
    """Set lost voxels to the nearest label that is not the neurite's own, background where there is none."""
    others = (part != 0) & ~own
    if not lost.any():
        return
    if not others.any():
        part[lost] = 0
        return
    nearest = ndimage.distance_transform_edt(~others, return_distances=False, return_indices=True)
    part[lost] = part[tuple(nearest)][lost]
