"""What answers teach of how deep heads lie.

Who says that there is a spine may have moved to the slice in which it is seen best. The weights of the estimates of
depth (`spinome.twophoton.depth`) learn from these slices, starting from those of before, and are held against them on
answers drawn by lot.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.review.held_out import ERRORS, HELD_OUT, mean_gain
from spinome.twophoton.depth import CLIPPED_UM, learn_depth, true_offsets
from spinome.twophoton.judge import LEAST_SCORE, depth_examples

# fewer heads with a depth teach nothing
LEAST_SEEN = 10
HEAD_COLUMNS = ["z_um", "y_um", "x_um", "held"]


def heads_seen(answers: pd.DataFrame) -> pd.DataFrame:
    """Heads at the depth at which people saw them: `unit` and `HEAD_COLUMNS`; those held out were drawn by lot.

    Parameters
    ----------
    answers : of `spinome.review.answers.candidates_said`
    """
    seen = answers[(answers["answer"] == "spine") & answers["seen_z_um"].notna()].reset_index(drop=True)
    by_lot = np.flatnonzero(seen["drawn"] == "random")[: int(HELD_OUT * len(seen))]
    held = np.isin(np.arange(len(seen)), by_lot)
    return seen.assign(z_um=seen["seen_z_um"], held=held)[["unit", *HEAD_COLUMNS]]


def depths_taught(
    stack: np.ndarray, voxel_um: tuple[float, float, float], spines: pd.DataFrame, heads: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the heads seen in a stack teach of depth.

    Parameters
    ----------
    stack, voxel_um, spines : as `spinome.twophoton.judge.candidate_features` takes them
    heads : (H) rows of `HEAD_COLUMNS`, those of this stack

    Returns
    -------
    estimates (N, E) and offsets (N,) of candidates, as `learn_depth` takes them, and which are held out (N,)
    """
    spines = spines[spines["score"] >= LEAST_SCORE].reset_index(drop=True)
    estimates, offsets = depth_examples(stack, voxel_um, spines, heads)
    known = np.isfinite(true_offsets(spines, heads))
    return estimates, offsets, np.isfinite(true_offsets(spines, heads[heads["held"]]))[known]


def relearn_depth(
    estimates: np.ndarray, offsets_um: np.ndarray, held: np.ndarray, old: list[float]
) -> tuple[list[float] | None, dict[str, object]]:
    """Weights of depths that learned from answers; None where those of before are to be kept.

    They are drawn to those of before as `learn_depth` draws them to 0, so that few heads change little. They are taken
    where the depths of heads held out are off by less, by more than one standard error.

    Parameters
    ----------
    estimates, offsets_um, held : of `depths_taught`, of all stacks
    old : weights of before, as `learn_depth` gives them

    Returns
    -------
    the weights, and what says why
    """
    left = offsets_um - _depths(estimates, old)
    first = _nearer(old, estimates[~held], left[~held])
    errors = [np.abs(offsets_um[held] - _depths(estimates[held], own)).clip(max=CLIPPED_UM) for own in (old, first)]
    gain, error = mean_gain(errors[0] - errors[1], np.ones(int(held.sum())))
    enough = int((~held).sum()) >= LEAST_SEEN
    taken = enough and gain > ERRORS * error
    row: dict[str, object] = {"depths": len(offsets_um), "depths_held_out": int(held.sum())}
    was, is_ = (float(own.mean()) if len(own) else np.nan for own in errors)
    row |= {"old_depth_error_um": was, "new_depth_error_um": is_, "depth_taken": taken}
    return _nearer(old, estimates, left) if taken else None, row


def _nearer(old: list[float], estimates: np.ndarray, left: np.ndarray) -> list[float]:
    return [before + more for before, more in zip(old, learn_depth(estimates, left))]


def _depths(estimates: np.ndarray, weights: list[float]) -> np.ndarray:
    return estimates @ np.asarray(weights[:-1], float) + weights[-1]
