"""Training images of the detector: stacks with known spines and flat field views with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.twophoton.detector import CROP
from spinome.twophoton.fields import Field
from spinome.twophoton.preprocess import PIXEL_UM, index_of, resample, scale_intensity

# reach of the annotation of a traced dendrite, along z and in the plane
BESIDE_UM = (6.0, 3.6, 3.6)


@dataclass(frozen=True)
class View:
    """A training image on the scale of `scale_intensity`, resampled to `PIXEL_UM`.

    `stack` (Z, Y, X) float32 (Z = 1 for a flat field view), `spines` (N, 4): z in slices, y and x (indices of pixels)
    and box side in pixels, `step_um` between slices. A field view has the number of its `folder`, and its `group`
    there.
    """

    stack: np.ndarray
    spines: np.ndarray
    step_um: float
    folder: int = 0
    group: str = ""


def stack_view(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    truth: pd.DataFrame,
    dendrites: pd.DataFrame | None = None,
) -> View:
    """Make a training view of a stack (Z, Y, X) with its truth (`read_truth_spines`).

    A box is the head with a margin of 0.2 um on each side, and the median box where no head's size is known. Where
    `dendrites` (`read_truth_dendrites`) are given, spines were annotated along them alone: what lies farther away
    becomes dark, so that its spines are not taken for background.
    """
    resampled, pixel = resample(stack, voxel_um)
    side = truth["diameter_um"].to_numpy(float) + 0.4
    known = np.isfinite(side)
    side = np.where(known, side, np.median(side[known]) if known.any() else 1.1)
    place = index_of(truth[["y_um", "x_um"]].to_numpy(float), voxel_um[1:], pixel)
    image = scale_intensity(resampled)
    if dendrites is not None:
        image *= _beside(dendrites, image.shape, voxel_um, pixel)
    return View(image, np.column_stack([truth["z_um"] / voxel_um[0], place, side / PIXEL_UM]), voxel_um[0])


def _beside(
    dendrites: pd.DataFrame,
    shape: tuple[int, int, int],
    voxel_um: tuple[float, float, float],
    pixel: tuple[float, float],
) -> np.ndarray:
    """1 where a resampled stack lies beside the traced dendrites, 0 elsewhere, soft between: (Z, Y, X) float32."""
    flat = index_of(dendrites[["y_um", "x_um"]].to_numpy(float), voxel_um[1:], pixel)
    nodes = np.column_stack([dendrites["z_um"] / voxel_um[0], flat]).round().astype(int)
    away = np.ones(shape, bool)
    away[tuple(np.clip(nodes, 0, np.array(shape) - 1).T)] = False
    distance = ndimage.distance_transform_edt(away, sampling=np.array([voxel_um[0], *pixel]) / BESIDE_UM)
    return ndimage.gaussian_filter((distance <= 1).astype(np.float32), (0, 2, 2))


def field_view(field: Field, pixel_um: float, folder: int = 0) -> View:
    """Make a training view of a flat field view with pixels of `pixel_um`, from the folder of this number."""
    image, boxes, group = field
    side = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    stack, (pixel_y, pixel_x) = resample(image[None], (1.0, pixel_um, pixel_um))
    centre_y = (boxes[:, 1] + boxes[:, 3]) / 2 * pixel_um / pixel_y - 0.5
    centre_x = (boxes[:, 0] + boxes[:, 2]) / 2 * pixel_um / pixel_x - 0.5
    spines = np.column_stack([np.zeros(len(boxes)), centre_y, centre_x, side * pixel_um / PIXEL_UM])
    view = View(scale_intensity(stack), spines, 1.0, folder, group)
    return _mirrored(view) if min(stack.shape[1:]) < 1.3 * CROP else view


def _mirrored(view: View) -> View:
    """Four mirror images side by side, so that a crop of a small view is full."""
    height, width = view.stack.shape[1:]
    rows = np.concatenate([view.stack, view.stack[:, ::-1]], axis=1)
    below = view.spines * [1, -1, 1, 1] + [0, 2 * height - 1, 0, 0]
    spines = np.concatenate([view.spines, below])
    right = spines * [1, 1, -1, 1] + [0, 0, 2 * width - 1, 0]
    both = np.concatenate([rows, rows[:, :, ::-1]], axis=2)
    return replace(view, stack=both, spines=np.concatenate([spines, right]))


def hold_out(views: Sequence[View]) -> tuple[list[View], list[View]]:
    """Hold the last tenth of the stacks out, and of each folder the field views of `held_out_fields`.

    Raises
    ------
    ValueError: if there is no view.
    """
    if not views:
        raise ValueError("there is nothing to train the detector on; name series with truth in `twophoton.train`")
    stacks, flat = ([view for view in views if (len(view.stack) == 1) == kind] for kind in (False, True))
    count = max(1, round(len(stacks) / 10))
    training, held_out = stacks[:-count] or stacks, stacks[-count:]
    for folder in dict.fromkeys(view.folder for view in flat):
        own = [view for view in flat if view.folder == folder]
        for view, out in zip(own, held_out_fields([view.group for view in own])):
            (held_out if out else training).append(view)
    return training, held_out or training[-1:]


def held_out_fields(groups: Sequence[str]) -> np.ndarray:
    """Which field views of a folder, given by their groups, are held out, bool: every third group.

    Views of one group are near-duplicates, so that all are held out or none.
    """
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([order[group] % 3 == 2 for group in groups], bool)
