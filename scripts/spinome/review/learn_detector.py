"""What the two-photon detector learns from answers.

It learns on from the weights of before, in few steps, in the slices around answered places. "Spine" and a missed spine
are boxes there, and "no spine" is background. All that nobody was asked about counts neither way, but for what the
detector of before is sure of: that is taught with little weight, so that it is not forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.columns import POSITION
from spinome.hashing import content_hash
from spinome.io.models import Model
from spinome.review.candidates import Candidates, described, joined
from spinome.twophoton.augment import FAINTEST, vary, visibility
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import CROP, HEAT_STRIDE, Detector
from spinome.twophoton.preprocess import index_of, resample, scale_intensity
from spinome.twophoton.registered import RegisteredStack
from spinome.twophoton.train import optimise

# steps of the optimiser, of about 0.9 CPU-s, and those until it takes the largest
STEPS, WARM_UP = 60, 10
# of all stacks those are learned from in which most was answered: each is looked through several times
MOST_STACKS = 8
# a box that the detector of before scores so high is taught as it was; what it says of other places counts so much
SURE, REMEMBERED = 0.5, 0.2
# what a person or a box says of a slice holds this far around it, in pixels of `PIXEL_UM`
AROUND = 9.0
# side of a box in um where none is known
USUAL_UM = 1.1
# share of crops around a spine, the others are around what is none
ON_SPINE = 0.5


@dataclass(frozen=True)
class Source:
    """A registered stack, and what the detector of before found in it.

    name : `specimen.field.timepoint`
    row : `spinome.review.candidates.OF_STACK`
    read : gives the stack
    boxes : each with its `candidate`
    gap_slices : as of `spinome.twophoton.depth_track.find_spines`
    """

    name: str
    row: Mapping[str, Any]
    read: Callable[[], RegisteredStack]
    boxes: pd.DataFrame
    gap_slices: int = 1


@dataclass(frozen=True)
class Teacher:
    """A stack to learn from, in pixels of `PIXEL_UM`.

    stack, step_um : as of `spinome.twophoton.training_images.View`
    boxes : (N, 5) slice, y, x, side and visibility of what is to be found
    marks : (M, 4) slice, y, x, and how much what is to be found within `AROUND` counts in that slice
    spines, others : (K, 3) slice, y, x of what people said is a spine, or is none: crops are drawn around these
    """

    stack: np.ndarray = field(repr=False)
    step_um: float
    boxes: np.ndarray
    marks: np.ndarray
    spines: np.ndarray
    others: np.ndarray


def most_answered(sources: Sequence[Source], places: pd.DataFrame) -> list[Source]:
    """The sources in which most was answered, at most `MOST_STACKS`, in their order."""
    counts = places["unit"].value_counts()
    ranked = sorted(sources, key=lambda source: -counts.get(source.name, 0))[:MOST_STACKS]
    kept = {source.name for source in ranked if counts.get(source.name, 0)}
    return [source for source in sources if source.name in kept]


def teacher_of(stack: RegisteredStack, boxes: pd.DataFrame, told: pd.DataFrame) -> Teacher:
    """What answers and the detector of before teach in a stack.

    Parameters
    ----------
    boxes : of the detector of before, each with its `candidate`
    told : what people said of places in this stack, as `relearn` takes it
    """
    voxel_um = stack.voxel_um
    resampled, pixel = resample(stack.voxels, voxel_um)
    image = scale_intensity(resampled).astype(np.float16)
    side_px = np.sqrt(pixel[0] * pixel[1])

    def placed(frame: pd.DataFrame) -> np.ndarray:
        return index_of(frame[["y_um", "x_um"]].to_numpy(float).reshape(-1, 2), voxel_um[1:], pixel)

    known = boxes.assign(slice=boxes["slice"].astype(int), side=boxes["side_um"] / side_px)
    known[["y", "x"]] = placed(boxes)
    asked_about = known["candidate"].isin(told.loc[told["candidate"] >= 0, "candidate"])
    own = dict(iter(known[asked_about].groupby("candidate")))
    # a double is neither a spine of its own nor background
    certain = ~asked_about & (known["score"] >= SURE) & (known["candidate"] >= 0)
    sure, unsure = known[certain], known[~asked_about & ~certain]
    wanted = [sure[["slice", "y", "x", "side", "score"]].to_numpy(float)]
    marks = [np.column_stack([frame[["slice", "y", "x"]], np.full(len(frame), weight)])
             for frame, weight in ((sure, REMEMBERED), (unsure, 0.0))]  # fmt: skip
    usual = float(sure["side"].median()) if len(sure) else USUAL_UM / side_px
    spines, others = [np.zeros((0, 3))], [np.zeros((0, 3))]
    asked = told.assign(**dict(zip("yx", placed(told).T)))
    for row in asked.itertuples():
        head = row.head_um / voxel_um[0]
        visible = np.arange(len(image))
        shown = visibility(visible - head, voxel_um[0])
        visible, shown = visible[shown >= FAINTEST], shown[shown >= FAINTEST]
        mine = own.get(row.candidate)
        if row.spine:
            there = np.column_stack([np.tile([row.y, row.x, usual], (len(visible), 1)), shown])
            if mine is not None:
                nearest = np.abs(mine["slice"].to_numpy()[None] - visible[:, None]).argmin(axis=1)
                there[:, :3] = mine[["y", "x", "side"]].to_numpy(float)[nearest]
                # how far above and below one sees it nobody said
                farther = mine[~mine["slice"].isin(visible)][["slice", "y", "x"]].to_numpy(float)
                marks.append(np.column_stack([farther, np.zeros(len(farther))]))
            there = np.column_stack([visible, there])
            wanted.append(there)
            spines.append(there[:, :3])
        elif mine is not None:
            others.append(mine[["slice", "y", "x"]].to_numpy(float))
        else:
            others.append(np.column_stack([visible, np.tile([row.y, row.x], (len(visible), 1))]))
    marks += [np.column_stack([place, np.ones(len(place))]) for place in (*spines, *others)]
    columns = (np.concatenate(parts) for parts in (wanted, marks, spines, others))
    return Teacher(image, voxel_um[0], *columns)


def draw_crop(teachers: Sequence[Teacher], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a crop around what people said something of, as `spinome.twophoton.augment.vary` varies it.

    Returns
    -------
    image, targets and weights, as `spinome.twophoton.loss.set_loss` takes them
    """
    kind = "spines" if rng.random() < ON_SPINE else "others"
    counts = np.array([len(getattr(one, kind)) for one in teachers], float)
    teacher = teachers[rng.choice(len(teachers), p=counts / counts.sum())]
    z, *near = getattr(teacher, kind)[rng.integers(len(getattr(teacher, kind)))]
    z = int(np.clip(z, 0, len(teacher.stack) - 1))
    image, crop = vary(teacher.stack, teacher.step_um, z, np.array(near), rng)
    boxes, marks = (rows[rows[:, 0] == z] for rows in (teacher.boxes, teacher.marks))
    place = crop.places(boxes[:, 1:3])
    targets = np.column_stack([place[:, 1], place[:, 0], boxes[:, 3] * crop.scale, boxes[:, 4]])[crop.holds(place)]
    return image, targets.astype(np.float32), _weights(crop.places(marks[:, 1:3]), marks[:, 3], AROUND * crop.scale)


def _weights(place: np.ndarray, weight: np.ndarray, around: float) -> np.ndarray:
    """How much each cell of a heatmap counts (Y, X): as the nearest mark, away from them as what is remembered."""
    cells = np.arange(CROP // HEAT_STRIDE)
    out = np.full((len(cells), len(cells)), REMEMBERED, np.float32)
    if len(place):
        middle = (np.stack(np.meshgrid(cells, cells, indexing="ij"), -1) + 0.5) * HEAT_STRIDE
        distance, nearest = cKDTree(place).query(middle, distance_upper_bound=around)
        near = np.isfinite(distance)
        out[near] = weight[nearest[near]]
    return out


def relearn(
    start: Detector,
    sources: Sequence[Source],
    old: Model,
    depth: list[float],
    told: pd.DataFrame,
    near: pd.DataFrame,
    seed: int,
    store: str | Path | None = None,
) -> tuple[Detector, Candidates, list[str]] | None:
    """A detector that learned from answers, its candidates around places, and the stacks in which it looked; None where
    it is told of no spine, or of nothing else.

    Parameters
    ----------
    start : is left as it is
    old, depth : the judge and the weights of depth that these candidates are described by
    told : what people said of places (A): `unit`, `POSITION`, `spine`, whether there is one, `head_um`, how deep it
        lies, and the `candidate` of the detector of before, -1 where it has none there
    near : `unit` and `POSITION` of the places (N) that it looks around
    store : folder of checkpoints, so that what was killed goes on where it stopped; of one `start` and one version of
        the code alone
    """
    teachers = [teacher_of(source.read(), source.boxes, told[told["unit"] == source.name]) for source in sources]
    if not (any(len(one.spines) for one in teachers) and any(len(one.others) for one in teachers)):
        return None
    key = _hash_of(teachers, seed)
    checkpoint = Path(store) / f"{key}.pt" if store else None
    draw = partial(draw_crop, teachers)
    detector, _ = optimise(draw, STEPS, checkpoint, key, seed, start=start, warm_up=WARM_UP)
    found = [find_again(source, detector, old, depth, near) for source in sources]
    return detector, joined(found, old.card["threshold"]), [source.name for source in sources]


def find_again(source: Source, detector: Detector, old: Model, depth: list[float], near: pd.DataFrame) -> Candidates:
    """The candidates of a detector in a stack around places, judged by the judge of before."""
    stack, own = source.read(), near.loc[near["unit"] == source.name, POSITION].to_numpy(float)
    boxes = detect(stack.voxels, stack.voxel_um, detector, near_um=own)
    return described(
        stack, find_spines(boxes, stack.voxels, stack.voxel_um, source.gap_slices)[0], source.row, old, depth
    )


def _hash_of(teachers: Sequence[Teacher], seed: int) -> str:
    """What tells these teachers from others, to the last pixel."""
    digest = hashlib.blake2b(digest_size=8)
    for one in teachers:
        for values in (one.stack, one.boxes, one.marks, one.spines, one.others):
            digest.update(np.ascontiguousarray(values).tobytes())
    return content_hash(digest.hexdigest(), STEPS, seed)
