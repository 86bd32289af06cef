"""Candidates of two-photon stacks as the judge of before has them: what people were asked about, and what learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.models import Model
from spinome.twophoton.judge import FEATURES, LEAST_SCORE, blocks, candidate_features, expected_threshold, judged
from spinome.twophoton.registered import RegisteredStack

# what a table says of the stack of a candidate
OF_STACK = ("specimen", "field", "timepoint", "series")


@dataclass(frozen=True)
class Candidates:
    """Candidates of stacks, without doubles.

    table : (N) what `twophoton_judge` writes of them, and their `series`; people were asked about them at its places,
        and `score` is the probability by the judge of before
    features, groups : (N, F) and (N,), as `spinome.review.learn.teach` takes them
    ranked : (N,) the probability that the run went by
    moved_um : (N,) their depth by the weights that are taken now
    """

    table: pd.DataFrame
    features: np.ndarray
    groups: np.ndarray
    ranked: np.ndarray
    moved_um: np.ndarray


def described(
    stack: RegisteredStack, found: pd.DataFrame, row: Mapping[str, Any], old: Model, depth: list[float]
) -> Candidates:
    """The candidates of a stack.

    Parameters
    ----------
    found : frame with `spinome.twophoton.depth_track.SPINE_COLUMNS`
    row : `OF_STACK`
    old : the judge of before
    depth : weights of estimates of depth, those of before or new ones; candidates are described where these put them
    """
    found = found[found["score"] >= LEAST_SCORE].reset_index(drop=True)
    first, place = old.card["depth"], old.card.get("place")
    asked, features = candidate_features(stack.voxels, stack.voxel_um, found, first, place)
    probability = old.probabilities(features.to_numpy())[:, 1] if len(found) else np.zeros(0)
    scored = judged(asked, probability, stack.voxel_um[0])
    kept = np.flatnonzero(found["candidate"].isin(scored["candidate"]))
    ranked, deep = scored["score"].to_numpy(float), asked
    if depth != first and len(found):
        deep, features = candidate_features(stack.voxels, stack.voxel_um, found, depth, place)
        scored["score"] = old.probabilities(features.to_numpy())[kept, 1]
    table = scored.assign(**{name: row[name] for name in OF_STACK})
    moved, groups = deep["z_um"].to_numpy(float)[kept], blocks(found, row["series"])[kept]
    return Candidates(table, features.to_numpy()[kept], groups, ranked, moved)


def joined(parts: Sequence[Candidates], threshold: float) -> Candidates:
    """The candidates of all stacks, and which of them a run accepts: of each series from its own threshold on.

    Parameters
    ----------
    threshold : of the judge of before, where a series has no candidate
    """
    none = pd.DataFrame(columns=[*OF_STACK, "candidate", "z_um", "y_um", "x_um", "score"])
    table = pd.concat([part.table for part in parts] or [none], ignore_index=True)
    names = ("features", "groups", "ranked", "moved_um")
    empty = np.zeros((0, len(FEATURES))), np.zeros(0, object), np.zeros(0), np.zeros(0)
    columns = [
        np.concatenate([getattr(part, name) for part in parts] or [nothing]) for name, nothing in zip(names, empty)
    ]
    ranked = pd.Series(columns[2])
    least = ranked.groupby(table["series"]).transform(lambda scores: expected_threshold(scores, threshold))
    return Candidates(table.assign(accepted=ranked >= least), *columns)
