"""Crops of training images, varied as microscopes vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.twophoton.detector import CROP
from spinome.twophoton.preprocess import compress
from spinome.twophoton.training_images import View

# a spine fades with the distance of a slice from its head as the axial point-spread function does
FADE_UM = 0.8
# a spine this faint in a slice is no target there
FAINTEST = 0.25


def sampler(views: Sequence[View]) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    """Return a function that draws one augmented crop of views that are drawn by `chances`."""
    chance = chances(views)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return augmented_crop(views[rng.choice(len(views), p=chance)], rng)

    return draw


def chances(views: Sequence[View]) -> np.ndarray:
    """How often each view is drawn, the sum is 1.

    Stacks and field views are drawn equally often. A folder of field views is drawn by its number of spines, and each
    of its groups equally often, so that many near-duplicates count no more than a few.
    """
    flat = np.array([len(view.stack) == 1 for view in views])
    chance = (~flat).astype(float) / max(1, np.count_nonzero(~flat))
    table = pd.DataFrame(
        [(view.folder, view.group, len(view.spines)) for view in views], columns=["folder", "group", "spines"]
    )[flat]
    folder, group = table.groupby("folder"), table.groupby(["folder", "group"])
    # a folder without any spine is drawn as one with one
    share = folder["spines"].transform("sum").clip(lower=1)
    share /= folder["spines"].sum().clip(lower=1).sum()
    chance[flat] = share / folder["group"].transform("nunique") / group["spines"].transform("size")
    return chance / chance.sum()


def augmented_crop(view: View, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cut a crop around a spine and vary what microscopes vary.

    Rotation, mirror, scale, blur in the plane and along z, saturation (bright shafts clipped, which lifts the spines
    beside them), gain and noise. The neighbouring slices of a flat view are its own image, half the time dimmed and
    blurred.

    Returns
    -------
    image (3, 256, 256) float32 as the detector sees it; spines (N, 4): x, y and box side in pixels, visibility
    """
    focus = view.spines[rng.integers(len(view.spines))] if len(view.spines) else np.zeros(4)
    z = int(np.clip(round(focus[0] + rng.integers(-2, 3)), 0, len(view.stack) - 1))
    image, crop = vary(view.stack, view.step_um, z, focus[1:3] if len(view.spines) else None, rng)
    place = crop.places(view.spines[:, 1:3])
    shown = visibility(view.spines[:, 0] - z, view.step_um)
    inside = crop.holds(place) & (shown >= FAINTEST)
    spines = np.column_stack([place[:, 1], place[:, 0], view.spines[:, 3] * crop.scale, shown])[inside]
    return image, spines.astype(np.float32)


def visibility(slices: np.ndarray, step_um: float) -> np.ndarray:
    """How visible a spine is in slices that lie so many slices (N,) from its head."""
    return np.exp(-0.5 * (slices * step_um / FADE_UM) ** 2)


@dataclass(frozen=True)
class Crop:
    """Where a crop was taken from a plane: crop = turn * scale * (plane - centre) + middle, in (y, x) pixels."""

    centre: np.ndarray
    turn: np.ndarray
    scale: float

    @property
    def middle(self) -> np.ndarray:
        """The middle of the crop in itself."""
        return np.array([CROP / 2, CROP / 2])

    def places(self, there: np.ndarray) -> np.ndarray:
        """Where places (N, 2) of the plane lie in the crop."""
        return (there - self.centre) @ (self.turn * self.scale).T + self.middle

    def holds(self, place: np.ndarray) -> np.ndarray:
        """Which places (N, 2) in the crop lie within it."""
        return ((place > 0) & (place < CROP)).all(axis=1)


def vary(
    stack: np.ndarray, step_um: float, z: int, near: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, Crop]:
    """Cut a crop of a slice around a place, and vary what microscopes vary; see `augmented_crop`.

    Parameters
    ----------
    stack, step_um : as of `View`
    near : (y, x) in pixels; without it the crop is of the middle

    Returns
    -------
    image (3, 256, 256) float32 as the detector sees it, and where it was taken
    """
    scale = np.exp(rng.uniform(-0.3, 0.3))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice([-1, 1])
    centre = np.asarray(stack.shape[1:]) / 2 if near is None else near + rng.uniform(-60, 60, 2)
    crop = Crop(centre, turn, scale)
    inverse = turn.T / scale
    offset = centre - inverse @ crop.middle
    flat = len(stack) == 1
    blur = rng.uniform(0, 1.0) / step_um
    planes = [
        ndimage.affine_transform(_plane(stack, z + step, blur), inverse, offset, (CROP, CROP), np.float32, order=1)
        for step in ((0,) if flat else (-1, 0, 1))
    ]
    if flat:
        planes *= 3
        # as it is when no stack is there to detect in, or as if one were
        if rng.random() < 0.5:
            for side in (0, 2):
                planes[side] = ndimage.gaussian_filter(planes[1], rng.uniform(0.5, 2.5)) * rng.uniform(0.3, 1.0)
    image = np.stack(planes)
    if rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, (0, *[rng.uniform(0.3, 1.3)] * 2))
    if rng.random() < 0.6:
        limit = rng.uniform(0.25, 1.0)
        image = np.minimum(image, limit) / limit
    image = image * np.exp(rng.uniform(-0.35, 0.35))
    noise = np.exp(rng.uniform(np.log(0.003), np.log(0.08), 2))
    spread = np.sqrt(noise[0] ** 2 + noise[1] ** 2 * np.clip(image, 0, None))
    return compress(image + spread * rng.standard_normal(image.shape, np.float32)), crop


def _plane(stack: np.ndarray, z: int, blur: float) -> np.ndarray:
    """A slice, blurred along z by a standard deviation in slices; the first and last slice go on for ever."""
    weights = np.exp(-0.5 * (np.arange(-2, 3) / max(blur, 0.2)) ** 2)
    indices = np.clip(np.arange(z - 2, z + 3), 0, len(stack) - 1)
    return np.tensordot((weights / weights.sum()).astype(np.float32), stack[indices], 1)
