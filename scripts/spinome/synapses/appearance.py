"""What the image of an EM volume looks like, in numbers that need no label: the traits that a network's limits go by.

They are taken at the pixels of the network, from grey values in spreads of the volume, so that neither brightness nor
contrast of a whole volume counts, which the network does not see either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spinome.cuboids import evenly_spaced
from spinome.limits import Known, judge, learn
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import shrinkage
from spinome.synapses.network.unet import shrink

# sections and pixels of a piece, and how many pieces are looked at, evenly spaced over the volume
PIECE, PIECES = (16, 256, 256), 8
# widths of boxes in pixels whose means still vary: how coarse the image is
BOXES = (2, 4, 8, 16)
# the largest unlikeness that goes without a warning. Of the shipped network, unseen simulated tissue is 0.6 to 1.4, two
# cutouts of mouse cortex, where it finds little, are 0.85 and 0.95, fly volumes 1.1 to 2.1. The number was chosen for
# the network before, to warn of all real tissue
LIMIT = 0.8
REMEDY = (
    "label the synapses of a small cutout of it, five or more, and train on them (`synapses.train`), or, of mammalian "
    "cortex, name the published network under `models.synapses` (docs/synapses.md)"
)
# so that nothing is divided by 0, nor its logarithm taken
TINY = 1e-4
FINE = "how fine its detail is (size of voxels, blur, noise)"
GREYS = "which grey values are rare (inverted or clipped grey values, staining)"
DEPTH = "how alike neighbouring sections are (their thickness, lost sections)"
SIZE = "the size of its pixels as they are stated (`voxel_y_nm`, `voxel_x_nm`: is it right?)"
THICKNESS = "the thickness of its sections as it is stated (`voxel_z_nm`: is it right? average thinner ones)"
UNEVEN = "how much sections differ in brightness or contrast"
INSIDE = (
    "what the network itself sees (fitted to it, its statistics have moved farther than in any volume that it was "
    "tuned on, and many of its synapses may be wrong)"
)
# the traits, and what each of them is in words
TRAITS = {
    **{f"variance in boxes of {width}": FINE for width in BOXES},
    "skewness": GREYS,
    "tails": GREYS,
    "correlation of sections": DEPTH,
    "brightness of sections": UNEVEN,
    "contrast of sections": UNEVEN,
    "gradient": FINE,
    "sharpness": FINE,
    "pixel": SIZE,
    "section": THICKNESS,
}


def describe_appearance(evidence: Evidence) -> np.ndarray:
    """The traits of pieces of a volume: (pieces, traits), NaN where a piece is too small for one."""
    factors = shrinkage(evidence.voxel_nm)
    size = (PIECE[0], PIECE[1] * factors[0], PIECE[2] * factors[1])
    pieces = evenly_spaced(evidence.image.shape, size, PIECES)
    stated = [np.log(np.mean(np.multiply(evidence.voxel_nm[1:], factors))), np.log(evidence.voxel_nm[0])]
    return np.array(
        [[*traits(shrink(evidence.grey.levels(evidence.image[piece.core]), factors)), *stated] for piece in pieces]
    )


def known_of(volumes: Sequence[Evidence]) -> Known:
    """What a model knows that was trained on these volumes."""
    return learn(np.concatenate([describe_appearance(evidence) for evidence in volumes]), list(TRAITS))


def judge_limits(evidence: Evidence, card: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a volume is beyond the limits of a model: `spinome.limits.LIMIT_COLUMNS`.

    A network that was fitted to the volume also says how far its statistics have moved (`network.adapt`), and for how
    far it was tuned. In volumes of five sources, as they are and spoilt, that tells better where F1 is below half than
    how the image looks (`benchmarks/synapse_limits.py`).
    """
    known, described = Known.of_card(card), describe_appearance(evidence)
    if known is not None:
        # models of before know fewer traits
        described = described[:, [list(TRAITS).index(trait) for trait in known.traits]]
    judged = judge(known, described, LIMIT, TRAITS, REMEDY, card.get("lacking", ""))
    inside = card.get("moved", 0.0) / card.get("most moved", np.inf)
    if inside <= 1:
        return judged
    far = np.fmax(judged["unlikeness"], LIMIT * inside)
    differs = f"{judged['differs']}, and in {INSIDE}" if judged["unlike"] else INSIDE
    return judged | {"unlikeness": float(far), "unlike": True, "differs": differs, "remedy": REMEDY}


def traits(image: np.ndarray) -> np.ndarray:
    """The traits of an image (Z, Y, X) in spreads of its volume, in the order of `TRAITS`; not the sizes of voxels."""
    depth, height, width = image.shape
    means = image.mean(axis=(1, 2))
    centred = image - means[:, None, None]
    spread = centred.std() + TINY
    centred = centred / spread
    found = []
    for box in BOXES:
        rows, columns = height // box, width // box
        cut = centred[:, : rows * box, : columns * box].reshape(depth, rows, box, columns, box)
        found.append(np.log(cut.mean(axis=(2, 4)).var() + TINY) if rows and columns else np.nan)
    along_y, along_x = np.diff(centred, axis=1)[:, :, :-1], np.diff(centred, axis=2)[:, :-1]
    gradient = np.hypot(along_y, along_x)
    steep = gradient.size > 0
    contrasts = np.log(centred.std(axis=(1, 2)) + TINY)
    return np.array(
        [
            *found,
            (centred**3).mean(),
            np.log((centred**4).mean() + TINY),
            (centred[1:] * centred[:-1]).mean() if depth > 1 else np.nan,
            np.log(means.std() / spread + 0.02) if depth > 1 else np.nan,
            np.log(contrasts.std() + 0.02) if depth > 1 else np.nan,
            np.log(gradient.mean() + TINY) if steep else np.nan,
            np.log((gradient**2).mean() / (gradient.mean() ** 2 + TINY) + TINY) if steep else np.nan,
        ]
    )
