"""What answers teach of how deep heads lie.

Who says that there is a spine may have moved to the slice in which it is seen best. The weights of the estimates of
depth (`spinome.twophoton.depth`) learn from these slices, starting from those of before, and are held against them on
answers drawn by lot.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.columns import POSITION
from spinome.review.answers import REACH_UM, Z_WEIGHT, match
from spinome.review.held_out import ERRORS, HELD_OUT, mean_gain
from spinome.review.learn import questions_of
from spinome.twophoton.depth import CLIPPED_UM, LEARNED_Z_UM, at_depth, learn_depth, true_heads
from spinome.twophoton.judge import LEAST_SCORE, candidate_features, estimates_of

# fewer heads with a depth teach nothing
LEAST_SEEN = 10
HEAD_COLUMNS = [*POSITION, "seen_z_um", "held"]


def heads_seen(answers: pd.DataFrame) -> pd.DataFrame:
    """Heads where people were asked about them and the depth at which these saw them: `unit` and `HEAD_COLUMNS`; those
    held out were drawn by lot.

    Parameters
    ----------
    answers : of `spinome.review.answers.candidates_said`
    """
    seen = answers[(answers["answer"] == "spine") & answers["seen_z_um"].notna()].reset_index(drop=True)
    by_lot = np.flatnonzero(seen["drawn"] == "random")[: int(HELD_OUT * len(seen))]
    held = np.isin(np.arange(len(seen)), by_lot)
    return seen.assign(held=held)[["unit", *HEAD_COLUMNS]]


def depths_taught(
    stack: np.ndarray,
    voxel_um: tuple[float, float, float],
    spines: pd.DataFrame,
    heads: pd.DataFrame,
    depth: list[float],
    place: list[list[float]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the heads seen in a stack teach of depth.

    Parameters
    ----------
    stack, voxel_um, spines, depth, place : as `spinome.twophoton.judge.candidate_features` takes them; people were
        asked about candidates where these put them
    heads : (H) rows of `HEAD_COLUMNS`, those of this stack

    Returns
    -------
    estimates (N, E) and offsets (N,) of candidates, as `learn_depth` takes them, and which are held out (N,)
    """
    spines = spines[spines["score"] >= LEAST_SCORE].reset_index(drop=True)
    estimates = estimates_of(stack, voxel_um, spines)
    asked, _ = candidate_features(stack, voxel_um, spines, depth, place)
    head = _heads_of(spines, asked, heads)
    rows = np.flatnonzero(head >= 0)
    # what the light around a candidate adds to its depth is left to it
    own = asked["z_um"] - at_depth(spines, estimates, depth, len(stack), voxel_um[0])["z_um"] + spines["z_um"]
    offsets = heads["seen_z_um"].to_numpy(float)[head[rows]] - own.to_numpy(float)[rows]
    near = np.abs(offsets) <= LEARNED_Z_UM
    return estimates[rows[near]], offsets[near], heads["held"].to_numpy(bool)[head[rows[near]]]


def _heads_of(spines: pd.DataFrame, asked: pd.DataFrame, heads: pd.DataFrame) -> np.ndarray:
    """Row of the head that each candidate (N,) has, -1 where it has none: that at whose place people were asked about
    it, or, of heads whose place is that of no candidate, one that was seen near it.

    Parameters
    ----------
    spines, asked : candidates where the detector has them, and where people were asked about them
    """
    out = np.full(len(spines), -1)
    weight = np.array([Z_WEIGHT["spine"], 1.0, 1.0])
    places, tree = heads[POSITION].to_numpy(float) * weight, cKDTree(asked[POSITION].to_numpy(float) * weight)
    apart, nearest = tree.query(places, distance_upper_bound=REACH_UM["spine"])
    # of two heads at one candidate the nearer one has it
    for row in np.argsort(apart, kind="stable"):
        if np.isfinite(apart[row]) and out[nearest[row]] < 0:
            out[nearest[row]] = row
    left, free = np.flatnonzero(~np.isfinite(apart)), np.flatnonzero(out < 0)
    seen = heads.iloc[left].assign(z_um=heads["seen_z_um"].iloc[left])
    near = true_heads(spines.iloc[free], seen)
    out[free[near >= 0]] = left[near[near >= 0]]
    return out


def at_first_depth(answers: pd.DataFrame, first: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Answers at the depth that their candidates had before weights of depths learned, also those given since.

    Parameters
    ----------
    answers : of `spinome.review.answers.candidates_said`
    first, now : (N) candidates of all stacks at either depth, in the same order, as `questions_of` takes them
    """
    found = match(pd.concat([questions_of(first), questions_of(now)], ignore_index=True), answers)
    since, out = found >= len(first), answers.copy()
    out.loc[since, "z_um"] = first["z_um"].to_numpy(float)[found[since] - len(first)]
    return out


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
