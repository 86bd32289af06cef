"""Crops to train the synapse network on: turned, stretched, bent, with sections that slip, fade and fail.

Twenty synapses are few. What an annotator would call the same synapse in another direction, on a section that is
darker, blurred or shifted against its neighbours, is made at random here. A network that is to work in tissue that it
has not seen gets rougher crops than one that is trained for tissue like that of its training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spinome.synapses.grey import MIDDLE, SPREAD

# sections and pixels of a crop
CROP = (12, 128, 128)
# share of crops that are drawn around a true synapse, and how far (sections, pixels) from it they are centred
ON_SYNAPSE, BESIDE = 0.5, (4.0, 40.0, 40.0)
# rough crops also show things up to so much larger and smaller: neurites of a thin neuropil are half as wide as others
ROUGH_ZOOM = (0.9, 1.5)


@dataclass(frozen=True)
class Teacher:
    """An image to learn from: `image` and `truth` (Z, Y, X) float32 from `network.shrink`, share of synapse in `truth`.

    `objects` lists the pixels (N, 3) of each true synapse, so that a small one is drawn as often as a large one.
    `zoom` is the least and the greatest number of its pixels that a pixel of a crop covers, `weight` how often it is
    drawn for its size. Where `known` (Z, Y, X) is given the truth holds where that is 1 alone, and `refused` lists the
    pixels of each thing that was said to be no synapse: crops are drawn around these and around synapses.
    """

    image: np.ndarray
    truth: np.ndarray
    objects: list[np.ndarray]
    zoom: tuple[float, float] = (1.0, 1.0)
    weight: float = 1.0
    known: np.ndarray | None = None
    refused: Sequence[np.ndarray] = ()


def teacher(
    image: np.ndarray, truth: np.ndarray, zoom: tuple[float, float] = (1.0, 1.0), weight: float = 1.0
) -> Teacher:
    """Make a teacher of an image and its truth (Z, Y, X)."""
    return Teacher(image, truth, pixels_of(truth > 0.5), zoom, weight)


def pixels_of(inside: np.ndarray) -> list[np.ndarray]:
    """The pixels (N, 3) of each object of a mask (Z, Y, X)."""
    labels = cc3d.connected_components(inside.astype(np.uint8), connectivity=18)
    where = np.argwhere(labels)
    order = np.argsort(labels[tuple(where.T)], kind="stable")
    counts = np.bincount(labels.ravel())[1:]
    return np.split(where[order], np.cumsum(counts)[:-1]) if len(counts) else []


def draw_crop(source: Teacher, rng: np.random.Generator, rough: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a crop.

    Parameters
    ----------
    rough : other grey values than those of the teacher by far, as other staining and other microscopes give

    Returns
    -------
    image, truth and weight, each `CROP` float32; the weight is 0 outside of the teacher, where its truth is not known,
    and in failed sections
    """
    depth, height, width = source.image.shape
    centre = _centre(source, rng)
    zoom = source.zoom
    if rough:
        zoom = zoom[0] * ROUGH_ZOOM[0], zoom[1] * ROUGH_ZOOM[1]
        # small volumes of many looks: what lies beyond them teaches nothing
        room = np.minimum(np.array(CROP[1:]) * np.mean(zoom) / 2, np.array([height, width]) / 2)
        centre[1:] = np.clip(centre[1:], room, np.array([height, width]) - room)
    sections = round(centre[0] - CROP[0] / 2) + np.arange(CROP[0])
    if rng.random() < 0.5:
        sections = sections[::-1]
    place = _places(centre[1:], zoom, rng)
    grid = ((place[..., ::-1] + 0.5) * 2 / [width, height] - 1).astype(np.float32)
    taken = np.clip(sections, 0, depth - 1)
    known = np.ones_like(source.image[taken]) if source.known is None else source.known[taken]
    stacked = torch.from_numpy(np.stack([source.image[taken], source.truth[taken], known], 1))
    sampled = torch.from_numpy(grid)
    image = functional.grid_sample(stacked[:, :1], sampled, padding_mode="border", align_corners=False)[:, 0]
    truth, inside = functional.grid_sample(stacked[:, 1:], sampled, align_corners=False).unbind(1)
    weight = (inside > 0.99) & torch.from_numpy((sections >= 0) & (sections < depth))[:, None, None]
    if rough:
        image = _roughen(image, rng)
    image, weight = _spoil(image, weight.float(), rng)
    return image, truth * weight, weight


def _centre(source: Teacher, rng: np.random.Generator) -> np.ndarray:
    chosen = source.objects if source.objects and rng.random() < ON_SYNAPSE else source.refused
    if not chosen and source.known is not None:
        # away from what was answered there is nothing to learn
        chosen = source.objects
    if chosen:
        pixels = chosen[rng.integers(len(chosen))]
        return pixels[rng.integers(len(pixels))] + rng.uniform(-1, 1, 3) * BESIDE
    return rng.uniform(0, 1, 3) * source.image.shape


def _places(centre: np.ndarray, zoom: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Where in the image (y, x) each pixel of a crop is taken from: (Z, Y, X, 2)."""
    angle, stretch, shear = rng.uniform(0, 2 * np.pi), np.exp(rng.normal(0, 0.12, 2)), rng.normal(0, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ [[stretch[0], shear], [0, stretch[1]]] @ np.diag([1, rng.choice([-1, 1])])
    if zoom[0] != zoom[1]:
        turn = turn * np.exp(rng.uniform(*np.log(zoom)))
    axes = [np.arange(length) - (length - 1) / 2 for length in CROP[1:]]
    bend = torch.from_numpy(rng.normal(0, 3.0, (1, 2, 5, 5)))
    bend = functional.interpolate(bend, CROP[1:], mode="bicubic", align_corners=True)[0].permute(1, 2, 0).numpy()
    plane = np.stack(np.meshgrid(*axes, indexing="ij"), -1) @ turn.T + centre + bend
    return plane + rng.normal(0, 1.0, (CROP[0], 1, 1, 2))


def _roughen(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Another curve of grey values, a softer or sharper image, coarse grain, and sections of other brightness."""
    curved = ((image * SPREAD + MIDDLE) / 255).clamp(0, 1) ** float(np.exp(rng.normal(0, 0.4)))
    # a volume of such grey values would be scaled to the same spread
    scale = float(np.exp(rng.normal(0, 0.1))) * image.std() / curved.std().clamp(min=1e-3)
    image = (curved - curved.mean()) * scale + image.mean()
    fate = rng.random()
    if fate < 0.7:
        soft = image
        for _ in range(rng.integers(1, 4)):
            soft = functional.avg_pool2d(soft[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
        image = soft if fate < 0.45 else image + float(rng.uniform(0.3, 1.2)) * (image - soft)
    if rng.random() < 0.5:
        coarse = (1, CROP[0], CROP[1] // 2, CROP[2] // 2)
        grain = torch.from_numpy(rng.standard_normal(coarse, np.float32))
        image = image + float(rng.uniform(0, 0.5)) * functional.interpolate(grain, CROP[1:], mode="bilinear")[0]
    if rng.random() < 0.5:
        a_section = (CROP[0], 1, 1)
        gain, shift = np.exp(rng.normal(0, 0.15, a_section)), rng.normal(0, 0.25, a_section)
        image = image * torch.from_numpy(gain).float() + torch.from_numpy(shift).float()
    return image


def _spoil(image: Tensor, weight: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Other contrast for the crop and for each section, blur, noise, and now and then a lost section."""
    a_section = (CROP[0], 1, 1)
    image = image * np.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.3)
    gain, shift = np.exp(rng.normal(0, 0.1, a_section)), rng.normal(0, 0.15, a_section)
    image = image * torch.from_numpy(gain).float() + torch.from_numpy(shift).float()
    if rng.random() < 0.3:
        image = functional.avg_pool2d(image[:, None], 3, 1, 1)[:, 0]
    image = image + abs(rng.normal(0, 0.2)) * torch.from_numpy(rng.standard_normal(CROP, np.float32))
    if rng.random() < 0.2:
        lost = rng.integers(CROP[0])
        image[lost], weight[lost] = rng.normal(0, 0.5), 0
    return image, weight
