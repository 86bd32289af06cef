"""Detections, tracks and sizes against the truth, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.stats import rankdata

from spinome.columns import POSITION
from spinome.scores.detection import (
    average_precision,
    coco_average_precision,
    match_boxes,
    precision_recall,
)
from spinome.scores.intervals import bootstrap, evaluation_row
from spinome.scores.matching import match_points
from spinome.scores.tracking import association_counts, error_counts, identity_counts, link_counts
from spinome.twophoton.truth import distance_to_dendrites

# annotators trace some dendrites only; what lies farther from them is not scored
SCORED_UM = 3.0
# a hit lies so near in the plane (um) and so many slices away
REACH = {"": (0.7, 2), "_loose": (1.0, 3)}
# overlaps of boxes at which average precision is taken, in per cent; the box of a true head has this margin, um, as the
# boxes that the detector is trained on, and this side where no head's size is known
OVERLAPS = (30, 50)
MARGIN_UM, BOX_UM = 0.4, 1.1
SERIES = ["specimen", "field"]


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
    candidates : frame `candidate score accepted z_um y_um x_um side_um`, those below the threshold included
    spines : those that were tracked, `candidate spine z_um y_um x_um head_volume_um3`; their places are those of the
        fitted heads, which users are given, and are scored in place of the candidates'
    truth : what `read_truth_spines` returns
    dendrites : what `read_truth_dendrites` returns; None scores the whole stack
    slice_um : distance of slices

    Returns
    -------
    frame, one row per candidate near a dendrite or paired, and one per true spine that no candidate lies near:
    `true` and `true_loose` are the ids of the true spine (-1: false alarm), `candidate` and `spine` -1 where there is
    none; `overlap_30` and `overlap_50`, whether its box in the plane has a true one at its depth as COCO pairs them;
    `dendrite` is the nearest true one
    """
    candidates = _where_measured(candidates.reset_index(drop=True), spines)
    place = candidates[POSITION].to_numpy(float)
    heads = truth[POSITION].to_numpy(float)
    out = candidates[["candidate", "score", "accepted", *POSITION]].copy()
    for suffix, (lateral, slices) in REACH.items():
        # accepted candidates are paired first, so that one below the threshold takes no truth from them
        ids = np.full(len(out), -1)
        free = np.arange(len(truth))
        for accepted in (True, False):
            rows = np.flatnonzero(out["accepted"].to_numpy() == accepted)
            found, hit = match_points(place[rows], heads[free], lateral, slices * slice_um)
            ids[rows[found]] = truth["track"].to_numpy()[free[hit]]
            free = np.delete(free, hit)
        out[f"true{suffix}"] = ids
    near = distance_to_dendrites(place, dendrites) <= SCORED_UM if dendrites is not None else np.ones(len(out), bool)
    # a box far from the dendrites or far from its truth in depth says nothing, however it lies in the plane
    scored = near | (out["true"] >= 0).to_numpy() | (out["true_loose"] >= 0).to_numpy()
    out, candidates, place = out[scored].reset_index(drop=True), candidates[scored], place[scored]
    known = truth["diameter_um"] + MARGIN_UM if "diameter_um" in truth else pd.Series(np.nan, truth.index)
    boxes, true_boxes = _boxes(candidates, candidates["side_um"]), _boxes(truth, known.fillna(BOX_UM))
    deep = np.abs(place[:, None, 0] - heads[None, :, 0]) <= REACH["_loose"][1] * slice_um
    for least in OVERLAPS:
        out[f"overlap_{least}"] = match_boxes(boxes, out["score"].to_numpy(), true_boxes, least / 100, deep)
    tracked = spines.set_index("candidate")
    out["spine"] = out["candidate"].map(tracked["spine"]).fillna(-1).astype(int)
    out["head_volume_um3"] = out["candidate"].map(tracked["head_volume_um3"]).astype(float)
    volumes = truth.set_index("track")["head_volume_um3"]
    out["true_volume_um3"] = out["true"].map(volumes).astype(float)
    missed = truth[~truth["track"].isin(out["true"])]
    rest = missed[POSITION].reset_index(drop=True)
    rest = rest.assign(
        true=missed["track"].to_numpy(), true_loose=-1, candidate=-1, spine=-1, score=0.0, accepted=False
    )
    rest = rest.assign(**{f"overlap_{least}": False for least in OVERLAPS})
    out = pd.concat([out, rest], ignore_index=True)
    owner = np.zeros(len(out), int)
    if len(truth):
        owner = truth["dendrite"].to_numpy()[cKDTree(heads).query(out[POSITION].to_numpy(float))[1]]
    out["dendrite"] = owner
    return out


def _where_measured(candidates: pd.DataFrame, spines: pd.DataFrame) -> pd.DataFrame:
    """Candidates at the places of their fitted heads, where they were measured."""
    measured = spines.set_index("candidate")[POSITION].reindex(candidates["candidate"]).reset_index(drop=True)
    return candidates.assign(**{axis: measured[axis].fillna(candidates[axis]).astype(float) for axis in POSITION})


def _boxes(spines: pd.DataFrame, side_um: pd.Series) -> np.ndarray:
    """Squares (N, 4) around spines in the plane: x_min, y_min, x_max, y_max in um."""
    middle, half = spines[["x_um", "y_um"]].to_numpy(float), side_um.to_numpy(float)[:, None] / 2
    return np.hstack([middle - half, middle + half])


def evaluation(compared: pd.DataFrame) -> list[dict]:
    """The rows of the branch's evaluation from the pairs of all stacks.

    Intervals are by bootstrap over groups that are about independent: a dendrite in one session for detection,
    a spine with all that it was confused with for tracks, a spine in one session for sizes.
    """
    rows = []
    accepted, is_true = compared["accepted"].to_numpy(bool), (compared["true"] >= 0).to_numpy()
    truths = int(is_true.sum())
    groups = _groups(compared, [*SERIES, "timepoint", "dendrite"])
    for suffix in REACH:
        hit = accepted & (compared[f"true{suffix}"] >= 0).to_numpy()
        # hits, detections and truths of each group
        sums = np.array([[hit[own].sum(), accepted[own].sum(), is_true[own].sum()] for own in groups]).reshape(-1, 3)
        for index, name in enumerate(("precision", "recall", "f1")):
            rows.append(_summed_row(f"detection_{name}{suffix}", sums, _precision_recall(index), truths))
    found = (compared["candidate"] >= 0).to_numpy()
    score = compared["score"].to_numpy()

    def precision_of(average: Callable[..., float], hit: np.ndarray) -> Callable[[np.ndarray], float]:
        def of_rows(index: np.ndarray) -> float:
            kept = index[found[index]]
            return average(score[kept], hit[kept], int(is_true[index].sum()))

        return of_rows

    rows.append(_row("detection_average_precision", precision_of(average_precision, is_true), groups, truths))
    for least in OVERLAPS:
        hit = compared[f"overlap_{least}"].to_numpy(bool)
        rows.append(_row(f"detection_ap{least}", precision_of(coco_average_precision, hit), groups, truths))
    for timepoint, own in compared.groupby([*SERIES, "timepoint"]):
        hits = int((own["accepted"] & (own["true"] >= 0)).sum())
        true = int((own["true"] >= 0).sum())
        f1 = precision_recall(hits, int(own["accepted"].sum()) - hits, true - hits)[2]
        rows.append(evaluation_row(f"detection_f1.{'.'.join(map(str, timepoint))}", f1, true, "spine"))
    points = track_points(compared)
    # no track is in two groups, so the scores of a resample are sums over its groups
    groups = [points.iloc[own] for own in _confusable(points)]
    tracked = int((points["true"] >= 0).sum())
    for name, count, ratio in (
        ("link_f1", link_counts, lambda right, wrong, missed: (2 * right, 2 * right + wrong + missed)),
        ("idf1", identity_counts, lambda shared, found, true: (2 * shared, found + true)),
        ("mota", error_counts, lambda errors, true: (true - errors, true)),
    ):
        sums = np.array([ratio(*count(own)) for own in groups]).reshape(-1, 2)
        rows.append(_summed_row(name, sums, _ratio, tracked))
    sums = np.array([association_counts(own) for own in groups]).reshape(-1, 2)
    rows.append(_summed_row("hota", sums, lambda agreement, whole: float(np.sqrt(_ratio(agreement, whole))), tracked))
    sized = compared[np.isfinite(compared["head_volume_um3"]) & np.isfinite(compared["true_volume_um3"])]
    measured, true = (sized[name].to_numpy() for name in ("head_volume_um3", "true_volume_um3"))
    if len(sized) > 2 and np.ptp(measured) > 0 and np.ptp(true) > 0:
        own = list(np.arange(len(sized))[:, None])
        ranks = [rankdata(values) for values in (measured, true)]
        correlate = lambda index: float(np.corrcoef(ranks[0][index], ranks[1][index])[0, 1])  # noqa: E731
        rows.append(_row("volume_rank_correlation", correlate, own, len(sized)))
        ratio = measured / true
        rows.append(_row("volume_median_ratio", lambda index: float(np.median(ratio[index])), own, len(sized)))
        error = np.abs(ratio - 1)
        rows.append(_row("volume_median_error", lambda index: float(np.median(error[index])), own, len(sized)))
    return rows


def track_points(compared: pd.DataFrame) -> pd.DataFrame:
    """Tracked spines and missed truths of all series as the tracking scores take them: `time track true`."""
    points = compared[(compared["spine"] >= 0) | (compared["true"] >= 0)].reset_index(drop=True)
    series = _codes(points, SERIES)
    out = pd.DataFrame({"time": points["day"].rank(method="dense").astype(int)})
    for column, name in (("spine", "track"), ("true", "true")):
        ids = points[column].to_numpy()
        out[name] = np.where(ids >= 0, series * (compared[["spine", "true"]].to_numpy().max(initial=-1) + 1) + ids, -1)
    return out


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _precision_recall(index: int) -> Callable[[int, int, int], float]:
    return lambda hits, found, true: precision_recall(hits, found - hits, true - hits)[index]


def _summed_row(name: str, sums: np.ndarray, score: Callable[..., float], n: int) -> dict:
    """A row whose score takes the columns' sums over groups, with its interval over groups."""

    def scored(drawn: np.ndarray) -> float:
        return float(score(*sums[drawn].sum(axis=0)))

    return evaluation_row(name, scored(np.arange(len(sums))), n, "spine", bootstrap(scored, len(sums)))


def _row(
    name: str, statistic: Callable[[np.ndarray], float], groups: list[np.ndarray], n: int, repeats: int = 500
) -> dict:
    """A row whose statistic takes row numbers, with its interval over groups of rows."""

    def resampled(drawn: np.ndarray) -> float:
        return statistic(np.concatenate([groups[group] for group in drawn]))

    interval = bootstrap(resampled, len(groups), repeats)
    return evaluation_row(name, resampled(np.arange(len(groups))) if groups else float("nan"), n, "spine", interval)


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
