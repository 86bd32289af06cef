"""What a candidate is like, from the sums over its voxels: what the second classifier goes by.

Everything follows from whole numbers that were summed over the parts, so it is the same however the volume was cut.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.io.units import VoxelSize
from spinome.synapses.objects.patches import PROBABILITY_UNIT
from spinome.synapses.objects.surround import SURROUND, UNIT

# grey values are in spreads of the volume, lengths in logarithms of nm
MEASURES = [
    "log_volume",
    "log_sections",
    "log_largest_area",
    "log_thickness",
    "elongation",
    "mean_probability",
    "peak_probability",
    "likely_share",
    "sure_share",
    "second_peak",
    "grey",
    "against_sides",
    "against_bouton",
    "darker_neighbour",
    "lighter_neighbour",
    "texture_sides",
    "texture_bouton",
    "dark_sides",
    "dark_bouton",
]
# levels of a spread (`spinome.synapses.grey.SPREAD`)
SPREAD = 32.0


def measure_candidates(parts: pd.DataFrame, voxel_nm: VoxelSize) -> pd.DataFrame:
    """Describe objects.

    Parameters
    ----------
    parts : `PART_COLUMNS` of `spinome.synapses.objects.patches`, and the `object` that each part belongs to

    Returns
    -------
    `MEASURES`, one row per object, in the order of `object`, which is the index
    """
    whole = parts.groupby("object")
    sums = whole[["voxels", "sum_probability", "likely", "sure", *(f"sum_{name}" for name in SURROUND)]].sum()
    voxels = sums["voxels"].to_numpy(float)
    levels = {name: sums[f"sum_{name}"].to_numpy() / voxels / UNIT for name in SURROUND}
    flat = _sections(parts)
    by_object = flat.groupby(level="object")
    area = by_object["voxels"].max().to_numpy() * voxel_nm[1] * voxel_nm[2]
    thickness, elongation = _shape(by_object[["yy", "yx", "xx"]].sum(), voxels, voxel_nm)
    peaks = flat["max_probability"].to_numpy() / PROBABILITY_UNIT
    owner = flat.index.get_level_values("object").to_numpy()
    order = np.lexsort((-peaks, owner))
    begins = np.flatnonzero(np.diff(owner[order], prepend=-1))
    many = by_object.size().to_numpy() > 1
    second = np.where(many, peaks[order][np.minimum(begins + 1, len(peaks) - 1)], 0.0)
    columns = [
        np.log(voxels * np.prod(voxel_nm)),
        np.log(by_object.size().to_numpy() * voxel_nm[0]),
        np.log(area),
        np.log(thickness),
        np.log(elongation),
        sums["sum_probability"].to_numpy() / PROBABILITY_UNIT / voxels,
        peaks[order][begins],
        sums["likely"].to_numpy() / voxels,
        sums["sure"].to_numpy() / voxels,
        second,
        levels["grey"] / SPREAD,
        (levels["grey_cleft"] - levels["grey_sides"]) / SPREAD,
        (levels["grey_sides"] - levels["grey_bouton"]) / SPREAD,
        (levels["grey_darker_neighbour"] - levels["grey_cleft"]) / SPREAD,
        (levels["grey_lighter_neighbour"] - levels["grey_cleft"]) / SPREAD,
        levels["texture_sides"] / SPREAD,
        levels["texture_bouton"] / SPREAD,
        levels["dark_sides"] / 255,
        levels["dark_bouton"] / 255,
    ]
    return pd.DataFrame(dict(zip(MEASURES, columns)), index=sums.index)


def _sections(parts: pd.DataFrame) -> pd.DataFrame:
    """Voxels, highest probability and scatter about the middle of each section of each object."""
    low = parts.groupby("object")[["y0", "x0"]].transform("min").to_numpy()
    voxels, sum_y, sum_x = (parts[name].to_numpy() for name in ("voxels", "sum_y", "sum_x"))
    y, x = low.T
    # places are counted from the object's corner; whole numbers wrap around and come out right
    near = pd.DataFrame(
        {
            "object": parts["object"].to_numpy(),
            "z": parts["z"].to_numpy(),
            "voxels": voxels,
            "y": sum_y - voxels * y,
            "x": sum_x - voxels * x,
            "yy": parts["sum_yy"].to_numpy() - 2 * y * sum_y + voxels * y * y,
            "yx": parts["sum_yx"].to_numpy() - y * sum_x - x * sum_y + voxels * y * x,
            "xx": parts["sum_xx"].to_numpy() - 2 * x * sum_x + voxels * x * x,
        }
    )
    groups = near.groupby(["object", "z"])
    flat = groups.sum()
    flat["max_probability"] = parts.groupby(["object", "z"])["max_probability"].max()
    for name in ("yy", "yx", "xx"):
        flat[name] = flat[name] - flat[name[0]] * (flat[name[1]] / flat["voxels"])
    return flat


def _shape(scatter: pd.DataFrame, voxels: np.ndarray, voxel_nm: VoxelSize) -> tuple[np.ndarray, np.ndarray]:
    """Thickness in nm within sections, and how many times longer than thick: of ellipses with that scatter."""
    # a voxel by itself has the scatter of a square
    yy = (scatter["yy"].to_numpy() / voxels + 1 / 12) * voxel_nm[1] ** 2
    xx = (scatter["xx"].to_numpy() / voxels + 1 / 12) * voxel_nm[2] ** 2
    yx = scatter["yx"].to_numpy() / voxels * voxel_nm[1] * voxel_nm[2]
    middle, apart = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    small = np.maximum(middle - apart, voxel_nm[1] * voxel_nm[2] / 12)
    return 4 * np.sqrt(small), np.sqrt((middle + apart) / small)
