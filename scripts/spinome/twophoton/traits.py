"""What the sessions of a series are like, in numbers that need no truth: the limits of the judge of candidates.

The judge learned from one animal, one microscope and simulated stacks. Where a series was taken otherwise, with coarser
voxels, more noise or a wider point-spread function, or where what is detected in it looks otherwise, it judges all the
same; these numbers say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spinome.limits import Known, judge, learn
from spinome.twophoton.judge import SCALES_UM

# the largest unlikeness that goes without a warning. The series that taught the shipped judge are 0.3 and 0.7 from both
# together and 2.3 and 2.4 from each other, an unseen simulated one is 0.9; that one with more noise, blurred, with
# coarser voxels or with voxels told twice as large is 1.1 to 1.8 (workflow/models/judge.md)
LIMIT = 1.0
REMEDY = (
    "label the spines of one of its sessions, a hundred are enough to begin with, and train the judge on them "
    "(`twophoton.train_judge`, docs/twophoton.md)"
)
VOXEL = "the size of its voxels"
FOCUS = "how sharp its spines are"
# the traits, and what each of them is in words
TRAITS = {
    "slice": VOXEL,
    "pixel": VOXEL,
    "noise": "how noisy it is",
    "radius": "how thick its dendrites are",
    "level": "how bright its spines are beside their shafts",
    "narrow": FOCUS,
    "wide": FOCUS,
    "below": "how far its spines reach through the slices",
    "score": "how sure the detector is of its spines",
}


def describe_session(features: pd.DataFrame, voxel_um: tuple[float, float, float]) -> np.ndarray:
    """The traits of a session (traits,), medians over its candidates; NaN without a candidate but for the voxel.

    Parameters
    ----------
    features : of `spinome.twophoton.judge.candidate_features`, in which brightness is counted in that of the shaft
    voxel_um : voxel size (z, y, x)
    """
    stated = [np.log10(voxel_um[0]), np.log10(np.sqrt(voxel_um[1] * voxel_um[2]))]
    if features.empty:
        return np.array(stated + [np.nan] * (len(TRAITS) - len(stated)))
    # one brightness, counted in that of the shaft and in that of the noise, says what the noise is of the shaft
    light = {width: np.sinh(features[f"level_{width}"]) / 8 for width in SCALES_UM}
    of_noise = np.sinh(features["brightness_0.12"])

    def ratio(one: pd.Series, other: pd.Series) -> float:
        bright = (one > 0) & (other > 0)
        return float(np.log10((one / other)[bright].median())) if bright.any() else np.nan

    found = [
        ratio(light[0.12], of_noise),
        np.log10(features["shaft_radius_um"].clip(lower=0.05).median()),
        features["level_0.24"].median(),
        ratio(light[0.12], light[0.42]),
        ratio(light[0.24], light[0.72]),
        features[["below_-2.0", "below_2.0"]].mean(axis=1).median(),
        features["score"].median(),
    ]
    return np.array(stated + found, float)


def known_of(sessions: Sequence[np.ndarray]) -> Known:
    """What a judge knows that was trained on sessions with these traits."""
    return learn(np.stack(list(sessions)), list(TRAITS))


def judge_limits(sessions: Sequence[np.ndarray], card: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a series with such sessions is beyond the limits of a judge: `spinome.limits.LIMIT_COLUMNS`."""
    described = np.stack(list(sessions)) if len(sessions) else np.full((1, len(TRAITS)), np.nan)
    return judge(Known.of_card(card), described, LIMIT, TRAITS, REMEDY)
