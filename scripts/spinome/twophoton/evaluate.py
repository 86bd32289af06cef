"""Detections, tracks and sizes against the truth, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from spinome.scores.detection import average_precision, match_points, precision_recall
from spinome.scores.intervals import bootstrap, evaluation_row
from spinome.scores.tracking import idf1, link_f1, mota
from spinome.twophoton.truth import distance_to_dendrites

# annotators trace some dendrites only; what lies farther from them is not scored
SCORED_UM = 3.0
# a hit lies so near in the plane (um) and so many slices away
REACH = {"": (0.7, 2), "_loose": (1.0, 3)}
POSITION = ["z_um", "y_um", "x_um"]
SERIES = ["specimen", "field"]
COMPARED = ["dendrite", "candidate", "score", "counts", "true", "true_loose", "spine", *POSITION]


def compare(
    candidates: pd.DataFrame,
    spines: pd.DataFrame,
    truth: pd.DataFrame,
    dendrites: pd.DataFrame | None,
    slice_um: float,
) -> pd.DataFrame:
    """Pair the candidates of one stack with its true spines.

    Parameters
    ----------
    candidates : frame `candidate score counts z_um y_um x_um`, those below the threshold included
    spines : those that were tracked, `candidate spine head_volume_um3`
    truth : of `read_truth_spines`
    dendrites : of `read_truth_dendrites`; None scores the whole stack
    slice_um : distance of slices

    Returns
    -------
    frame, one row a candidate near a dendrite or paired, and one a true spine that no candidate lies near:
    `true` and `true_loose` are the ids of the true spine (-1: false alarm), `candidate` and `spine` -1 where there is
    none; `dendrite` is the nearest true one
    """
    place = candidates[POSITION].to_numpy(float)
    heads = truth[POSITION].to_numpy(float)
    out = candidates[["candidate", "score", "counts", *POSITION]].reset_index(drop=True)
    for suffix, (lateral, slices) in REACH.items():
        # spines that count are paired first, so that a candidate below the threshold takes no truth from them
        ids = np.full(len(out), -1)
        free = np.arange(len(truth))
        for counts in (True, False):
            rows = np.flatnonzero(out["counts"].to_numpy() == counts)
            found, hit = match_points(place[rows], heads[free], lateral, slices * slice_um)
            ids[rows[found]] = truth["track"].to_numpy()[free[hit]]
            free = np.delete(free, hit)
        out[f"true{suffix}"] = ids
    tracked = spines.set_index("candidate")
    out["spine"] = out["candidate"].map(tracked["spine"]).fillna(-1).astype(int)
    out["head_volume_um3"] = out["candidate"].map(tracked["head_volume_um3"]).astype(float)
    volumes = truth.set_index("track")["head_volume_um3"]
    out["true_volume_um3"] = out["true"].map(volumes).astype(float)
    near = distance_to_dendrites(place, dendrites) <= SCORED_UM if dendrites is not None else np.ones(len(out), bool)
    out = out[near | (out["true"] >= 0) | (out["true_loose"] >= 0)]
    missed = truth[~truth["track"].isin(out["true"])]
    rest = missed[POSITION].reset_index(drop=True)
    rest = rest.assign(true=missed["track"].to_numpy(), true_loose=-1, candidate=-1, spine=-1, score=0.0, counts=False)
    out = pd.concat([out, rest], ignore_index=True)
    owner = np.zeros(len(out), int)
    if len(truth):
        owner = truth["dendrite"].to_numpy()[cKDTree(heads).query(out[POSITION].to_numpy(float))[1]]
    out["dendrite"] = owner
    return out


def evaluation(compared: pd.DataFrame) -> list[dict]:
    """The rows of the branch's evaluation from the pairs of all stacks.

    Intervals are by bootstrap over groups that are about independent: a dendrite in one session for detection,
    a spine with all that it was confused with for tracks, a spine in one session for sizes.
    """
    rows = []
    truths = int((compared["true"] >= 0).sum())
    groups = _groups(compared, [*SERIES, "timepoint", "dendrite"])
    for suffix in REACH:
        true = f"true{suffix}"
        names = ["precision", "recall", "f1"]
        for index, name in enumerate(names):
            statistic = lambda frame, true=true, index=index: _detection(frame, true)[index]  # noqa: E731
            rows.append(_row(f"detection_{name}{suffix}", statistic, compared, groups, truths, "spine"))
    rows.append(_row("detection_average_precision", _average_precision, compared, groups, truths, "spine"))
    for timepoint, own in compared.groupby([*SERIES, "timepoint"]):
        count = int((own["true"] >= 0).sum())
        rows.append(
            evaluation_row(f"detection_f1.{'.'.join(map(str, timepoint))}", _detection(own, "true")[2], count, "spine")
        )
    points = track_points(compared)
    tracks = _confusable(points)
    for name, score in {"link_f1": link_f1, "idf1": idf1, "mota": mota}.items():
        rows.append(_row(name, score, points, tracks, int((points["true"] >= 0).sum()), "spine", 200))
    sized = compared[np.isfinite(compared["head_volume_um3"]) & np.isfinite(compared["true_volume_um3"])]
    if len(sized) > 2:
        own = [np.array([index]) for index in range(len(sized))]
        statistic = lambda frame: frame["head_volume_um3"].corr(frame["true_volume_um3"], method="spearman")  # noqa: E731
        rows.append(_row("volume_rank_correlation", statistic, sized, own, len(sized), "spine"))
        statistic = lambda frame: float((frame["head_volume_um3"] / frame["true_volume_um3"]).median())  # noqa: E731
        rows.append(_row("volume_median_ratio", statistic, sized, own, len(sized), "spine"))
    return rows


def track_points(compared: pd.DataFrame) -> pd.DataFrame:
    """Tracked spines and missed truths of all series as the tracking scores take them: `time track true`."""
    points = compared[(compared["spine"] >= 0) | (compared["true"] >= 0)].reset_index(drop=True)
    series = _codes(points, SERIES)
    out = pd.DataFrame({"time": points["day"].rank(method="dense").astype(int)})
    for column, name in (("spine", "track"), ("true", "true")):
        ids = points[column].to_numpy()
        out[name] = np.where(ids >= 0, series * (compared[["spine", "true"]].to_numpy().max() + 1) + ids, -1)
    return out


def _detection(frame: pd.DataFrame, true: str) -> tuple[float, float, float]:
    counts = frame["counts"].to_numpy(bool)
    hits = int((counts & (frame[true] >= 0)).sum())
    return precision_recall(hits, int(counts.sum()) - hits, int((frame["true"] >= 0).sum()) - hits)


def _average_precision(frame: pd.DataFrame) -> float:
    found = frame[frame["candidate"] >= 0]
    return average_precision(
        found["score"].to_numpy(), (found["true"] >= 0).to_numpy(), int((frame["true"] >= 0).sum())
    )


def _row(
    name: str,
    statistic: Callable[[pd.DataFrame], float],
    frame: pd.DataFrame,
    groups: list[np.ndarray],
    n: int,
    unit: str,
    repeats: int = 500,
) -> dict:
    def resampled(index: np.ndarray) -> float:
        return statistic(frame.iloc[np.concatenate([groups[group] for group in index])])

    return evaluation_row(name, statistic(frame), n, unit, bootstrap(resampled, len(groups), repeats))


def _groups(frame: pd.DataFrame, columns: list[str]) -> list[np.ndarray]:
    codes = _codes(frame, columns)
    return [np.flatnonzero(codes == code) for code in range(codes.max(initial=-1) + 1)]


def _codes(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return frame.groupby(columns, sort=True).ngroup().to_numpy()


def _confusable(points: pd.DataFrame) -> list[np.ndarray]:
    """Rows grouped so that no found and no true track is in two groups."""
    names = pd.concat(["f" + points["track"].astype(str), "t" + points["true"].astype(str)])
    codes = pd.factorize(names)[0]
    first, second = codes[: len(points)], codes[len(points) :]
    single = [(points["track"] < 0).to_numpy(), (points["true"] < 0).to_numpy()]
    first, second = np.where(single[0], second, first), np.where(single[1], first, second)
    size = codes.max(initial=0) + 1
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    component = connected_components(graph, directed=False)[1][first]
    return [np.flatnonzero(component == name) for name in np.unique(component)]
