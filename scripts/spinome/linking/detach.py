"""Truth where there is none: real spines cut off at the neck, so that the shaft of each is known.

Gray Roncal (2016) detaches spines likewise to see what links are worth. A forest that has met one kind of cut learns
that kind, so there are several, and each spine draws one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cc3d
import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.io.units import VoxelSize
from spinome.linking.protrusions import find_protrusions

PLACES = [f"{place}{axis}_nm" for place in ("", "cut_") for axis in "zyx"]
CUT_COLUMNS = ["orphan", "shaft", "kind", "gap_nm", "cut_nm", "reach_nm", "volume_um3", "lost_um3", *PLACES]
SPINE_UM3, SPINE_REACH_NM = (0.01, 0.6), 400.0
# a cut leaves this much of the spine's length at either end, and heads from this size on
STUMP_NM, HEAD_NM, HEAD_UM3 = 40.0, 200.0, 0.008
PROFILE_NM = 50.0  # step at which the neck's cross-section is looked at
ROUGHNESS_NM = 150.0  # length over which the noise of a cut changes
MARGIN_NM = 200.0
SCAR_NM = 60.0  # the cut end of an orphan is what lies this near to the cut


class Cut(NamedTuple):
    """A kind of cut: `place` of the gap (`neck`, its thinnest place; `any`; `foot`, so that nothing stays on the
    shaft), `heir` of what is lost (`nearest` other label of each voxel, the `one` that has most of these, or `none`,
    which leaves background), and `noise_nm` by which the surfaces of the cut are moved."""

    place: str
    heir: str
    noise_nm: float


KINDS = {
    "neck": Cut("neck", "nearest", 0.0),
    "ragged": Cut("neck", "nearest", 50.0),
    "anywhere": Cut("any", "nearest", 0.0),
    "foot": Cut("foot", "nearest", 0.0),
    "one_heir": Cut("neck", "one", 0.0),
    "empty": Cut("neck", "none", 0.0),
}


def detach_spines(
    labels: np.ndarray,
    shafts: np.ndarray,
    voxel_nm: VoxelSize,
    *,
    kinds: Sequence[str] = ("neck",),
    gap_nm: tuple[float, float] = (0.0, 300.0),
    noise_nm: float = 0.0,
    share: float = 1.0,
    seed: int = 0,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Cut spines off their dendrites.

    A spine is a protrusion of 0.01-0.6 um3 that reaches 400 nm out, hangs at one place and lies clear of the
    volume's edge. The neck is the thinnest place of its inner two thirds. A gap is shorter where the spine has no room
    for it.

    Parameters
    ----------
    labels : (Z, Y, X) int
    shafts : labels of the dendrites
    voxel_nm : size of a voxel (z, y, x), about 30 nm
    kinds : names of KINDS, of which each spine draws one
    gap_nm : length of neck that is lost, drawn between these
    noise_nm : standard deviation by which the surfaces of all cuts are moved, smoothly over 150 nm, where their kind
        has no larger one
    share : share of the spines that are cut
    seed : seed of everything that is drawn

    Returns
    -------
    labels with each cut spine as a new label above the others, and a table of CUT_COLUMNS: `gap_nm` as it was cut,
    `cut_nm` its inner end from the shaft's surface, `reach_nm` the length of the spine, `volume_um3` and the
    centroid of the orphan, the centroid `cut_*` of its end at the cut, `lost_um3` what the spine lost. A spine of two
    heads gives two rows.

    Raises
    ------
    ValueError: if none of the shafts is in the volume, or for a kind that is none of KINDS.
    """
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f"kinds of cut {', '.join(unknown)} are none of {', '.join(KINDS)}")
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
        kind = kinds[int(rng.integers(len(kinds)))]
        how, along = KINDS[kind], rng.random()
        noise = max(noise_nm, how.noise_nm)
        low = np.maximum([spine.z0, spine.y0, spine.x0] - margin, 0)
        high = np.array([spine.z1, spine.y1, spine.x1]) + margin
        box = tuple(slice(a, b) for a, b in zip(low, high))
        mine = number[box] == spine.protrusion
        place = _gap(out[box][mine], wanted, float(np.prod(size)), how.place, along)
        if not chosen or place is None:
            continue
        way = out[box] + noise * _smooth_noise(mine.shape, size, rng) if noise else out[box]
        heads = cc3d.connected_components(mine & (way > place[1]), connectivity=6)
        volume = np.bincount(heads.ravel()) * np.prod(size) / 1e9
        kept = np.flatnonzero(volume >= HEAD_UM3)
        kept = kept[kept > 0]
        if not len(kept):
            continue
        lost = mine & (way > place[0]) & ~np.isin(heads, kept)
        part = cut[box]
        _give_away(part, lost, (part == spine.shaft) | mine, how.heir)
        for head in kept:
            here = heads == head
            part[here] = following
            scar = here & (way <= way[here].min() + SCAR_NM)
            centre, end = ((np.argwhere(where).mean(axis=0) + low + 0.5) * size for where in (here, scar))
            rows.append(
                (
                    following,
                    spine.shaft,
                    kind,
                    place[1] - place[0],
                    place[0],
                    spine.reach_nm,
                    volume[head],
                    lost.sum() * np.prod(size) / 1e9,
                    *centre,
                    *end,
                )
            )
            following += 1
    smallest = np.uint32 if following < 1 << 32 else np.uint64
    return cut.astype(smallest), pd.DataFrame(rows, columns=CUT_COLUMNS)


def _gap(out: np.ndarray, wanted: float, voxel: float, place: str, along: float) -> tuple[float, float] | None:
    """Where along a spine (way out of its voxels, nm) a gap is cut; none without room."""
    room = float(out.max()) - HEAD_NM - STUMP_NM
    if room <= 0:
        return None
    gap = min(wanted, room)
    if place == "any":
        start = STUMP_NM + along * (room - gap)
        return start, start + gap
    if place == "foot":
        # what is in the shaft's flare goes, too
        return 0.0, max(gap, STUMP_NM)
    bins = np.arange(0.0, out.max() + PROFILE_NM, PROFILE_NM)
    area = ndimage.uniform_filter1d(np.histogram(out, bins)[0] * voxel / PROFILE_NM, 3, mode="nearest")
    inner = max(int(0.66 * len(area)), 1)
    neck = bins[int(area[:inner].argmin())] + PROFILE_NM / 2
    start = float(np.clip(neck - gap / 2, STUMP_NM, STUMP_NM + room - gap))
    return start, start + gap


def _smooth_noise(shape: tuple[int, ...], size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.normal(size=shape), ROUGHNESS_NM / size / 2)
    return noise / max(float(noise.std()), 1e-9)


def _give_away(part: np.ndarray, lost: np.ndarray, own: np.ndarray, heir: str) -> None:
    """Set lost voxels to labels that are not the neurite's own, background where there is none."""
    others = (part != 0) & ~own
    if not lost.any():
        return
    if heir == "none" or not others.any():
        part[lost] = 0
        return
    nearest = ndimage.distance_transform_edt(~others, return_distances=False, return_indices=True)
    heirs = part[tuple(nearest)][lost]
    if heir == "one":
        labels, voxels = np.unique(heirs, return_counts=True)
        heirs = labels[voxels.argmax()]
    part[lost] = heirs
