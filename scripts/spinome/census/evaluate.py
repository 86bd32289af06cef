"""The census against simulated specimens, whose spines are known: what each view found, and what the chain lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from spinome.census.matches import TOLERANCE_UM, distance_to_spines, positions_um
from spinome.gaps import in_gap
from spinome.scores.intervals import bootstrap, evaluation_row, evaluation_table
from spinome.scores.matching import match_within

# views of one specimen, in the order of the data's way
VIEWS = ("twophoton", "linking", "chain", "neurons")
# z, y, x; a two-photon stack resolves less along z, and its slices are 1 um apart
TOLERANCES_UM = dict.fromkeys(VIEWS, (TOLERANCE_UM,) * 3) | {"twophoton": (2.0, TOLERANCE_UM, TOLERANCE_UM)}
ENDS = [f"{end}_{axis}" for end in ("head", "base") for axis in "zyx"]
SEEN_COLUMNS = ["view", "specimen", "spine", "dendrite", "volume_um3", "found", "found_volume_um3"]
SEEN_COLUMNS += [f"{end}_um" for end in ENDS]


def on_mesh(truth: pd.DataFrame, spine_id: np.ndarray) -> pd.DataFrame:
    """The true spines that a mesh holds.

    Parameters
    ----------
    truth : `truth_spines.parquet` of a simulated specimen, positions in nm
    spine_id : (V,) spine of each vertex, negative where none
    """
    return _in_um(truth[truth["spine"].isin(np.unique(spine_id))])


def in_volume(truth: pd.DataFrame, shape: tuple[int, ...], voxel_nm: tuple[float, ...]) -> pd.DataFrame:
    """The true spines that lie whole in an EM volume (z, y, x), which is taken at the last session."""
    inside = truth["last_timepoint"] == truth["last_timepoint"].max()
    for axis, length, size in zip("zyx", shape, voxel_nm):
        for end in ("head", "base"):
            inside &= truth[f"{end}_{axis}_nm"].between(0, length * size)
    return _in_um(truth[inside])


def in_session(truth: pd.DataFrame, timepoint: str, voxel_um: tuple[float, ...]) -> pd.DataFrame:
    """The true spines of a two-photon session, in the frame of its stack; `truth` is its `truth_spines.csv`."""
    there = truth[truth["timepoint"].astype(str) == timepoint]
    columns = {"spine": there["track_id"], "dendrite": there["dendrite_id"], "volume_um3": there["head_volume_um3"]}
    for end, name in (("head", "tip"), ("base", "base")):
        for axis, size in zip("zyx", voxel_um):
            columns[f"{end}_{axis}_um"] = there[f"{name}_{axis}_px"] * size
    return pd.DataFrame(columns).reset_index(drop=True)


def _in_um(truth: pd.DataFrame) -> pd.DataFrame:
    columns = {f"{end}_um": truth[f"{end}_nm"] / 1000.0 for end in ENDS}
    return pd.DataFrame({**truth[["spine", "dendrite", "volume_um3"]], **columns}).reset_index(drop=True)


def seen(
    spines: pd.DataFrame, truth: pd.DataFrame, tolerance_um: tuple[float, float, float] = (TOLERANCE_UM,) * 3
) -> pd.DataFrame:
    """Match found spines with the true ones of one specimen, one to one.

    A true spine is the straight line from its base to its head; a found position, be it a head or a centroid, is
    matched where it lies within the tolerance of that line.

    Parameters
    ----------
    spines : rows of the joint table of one specimen and one view, with positions in the truth's frame
    truth : `spine` and `head_{z,y,x}_um base_{z,y,x}_um`
    tolerance_um : half axes (z, y, x) of the ellipsoid around a found position that must touch the line

    Returns
    -------
    `truth` with the columns `found` (id in the joint table, null where it was missed) and `found_volume_um3`
    """
    head, base = (truth[[f"{end}_{axis}_um" for axis in "zyx"]].to_numpy(float) for end in ("head", "base"))
    distance = distance_to_spines(positions_um(spines) / tolerance_um, base / tolerance_um, head / tolerance_um)
    rows, columns = match_within(distance, distance <= 1.0)
    found = pd.Series(None, truth.index, dtype=object)
    volume = pd.Series(np.nan, truth.index)
    found.iloc[columns] = spines["spine"].iloc[rows].astype(object).to_numpy()
    volume.iloc[columns] = spines["volume_um3"].iloc[rows].to_numpy(float, na_value=np.nan)
    return truth.assign(found=found, found_volume_um3=volume)


def reported_by(said: Mapping[str, Any], spines: pd.DataFrame) -> pd.DataFrame:
    """The rows of the joint table, with `view`, that a view reports; `said` is what the plan says of it."""
    ours = spines[(spines["view"] == said["view"]) & (spines["specimen"] == said["sample"])]
    return ours[ours["timepoint"] == said["timepoint"]] if said["view"] == "twophoton" else ours


def went_through(
    said: Mapping[str, Any],
    truth: pd.DataFrame,
    sessions: pd.DataFrame | None,
    neurons: pd.DataFrame | None,
    gaps: Mapping[str, pd.DataFrame],
) -> pd.Series:
    """Whether each true spine lies in what could be computed: a session, a mesh, a volume without its gaps.

    Parameters
    ----------
    said : what the plan says of a view: `view sample timepoint`
    truth : the true spines that it can show
    sessions, neurons : `twophoton/sessions.parquet` and `neurons/neurons.parquet`, where there are such views
    gaps : of the segmentation by volume (`spinome.gaps.gap_table`)
    """
    if said["view"] == "twophoton" and sessions is not None:
        own = sessions[(sessions["specimen"] == said["sample"]) & (sessions["timepoint"] == said["timepoint"])]
        return pd.Series(bool(own["usable"].all()), truth.index)
    if said["view"] == "neurons" and neurons is not None:
        own = neurons[(neurons["source"] == "sheet") & (neurons["neuron"] == said["sample"])]
        return pd.Series(bool(own["spines"].notna().all()), truth.index)
    return known(truth, gaps[said["sample"]]) if said["sample"] in gaps else pd.Series(True, truth.index)


def known(truth: pd.DataFrame, gaps: pd.DataFrame) -> pd.Series:
    """Which true spines of a volume lie clear of its gaps, with their heads and their bases.

    Parameters
    ----------
    truth : from `in_volume`; gaps : of the segmentation (`spinome.gaps.gap_table`)
    """
    ends = [1000.0 * truth[[f"{end}_{axis}_um" for axis in "zyx"]].to_numpy(float) for end in ("head", "base")]
    return pd.Series(~(in_gap(ends[0], gaps) | in_gap(ends[1], gaps)), truth.index)


def evaluate(
    seen_by: pd.DataFrame, reported: Mapping[str, int], unknown: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Scores of each view, pooled over specimens.

    Parameters
    ----------
    seen_by : the true spines that each view could see: the rows of `seen` with `view` and `specimen`
    reported : by view, how many spines it reported in those specimens
    unknown : by view, how many true spines were left out since what they are in failed

    Returns
    -------
    Table `metric value ci_low ci_high n unit`; intervals of `_found` are bootstraps over dendrites, the others over
    spines
    """
    rows = []
    for name in [view for view in VIEWS if (seen_by["view"] == view).any()]:
        truth = seen_by[seen_by["view"] == name].reset_index(drop=True)
        hit = truth["found"].notna().to_numpy()
        # linking reports the spines that came loose, not those that the segmentation left on their dendrite
        unit = "true spines, loose or not" if name == "linking" else "true spines"
        rows.append(evaluation_row(f"{name}_found", hit.mean(), len(truth), unit, _interval(truth, hit)))
        if reported[name]:
            right = np.arange(reported[name]) < hit.sum()
            interval = bootstrap(lambda chosen, right=right: right[chosen].mean(), len(right))
            rows.append(evaluation_row(f"{name}_right", right.mean(), len(right), "reported spines", interval))
        sized = truth[hit & truth["found_volume_um3"].notna()]
        if len(sized) > 2:
            both = sized[["volume_um3", "found_volume_um3"]].to_numpy()
            interval = bootstrap(lambda chosen, both=both: _spearman(both[chosen]), len(both))
            rows.append(evaluation_row(f"{name}_volume_spearman", _spearman(both), len(both), "spines found", interval))
            ratio = both[:, 1] / both[:, 0]
            interval = bootstrap(lambda chosen, ratio=ratio: np.median(ratio[chosen]), len(ratio))
            rows.append(evaluation_row(f"{name}_volume_ratio", np.median(ratio), len(ratio), "spines found", interval))
    for name, lost in (unknown or {}).items():
        whole = lost + int((seen_by["view"] == name).sum())
        rows.append(evaluation_row(f"{name}_not_known", lost, whole, "true spines"))
    return evaluation_table(rows)


def _interval(truth: pd.DataFrame, hit: np.ndarray) -> tuple[float, float]:
    groups = list(truth.groupby(["specimen", "dendrite"]).indices.values())
    hits = np.array([hit[group].sum() for group in groups])
    sizes = np.array([len(group) for group in groups])
    return bootstrap(lambda chosen: hits[chosen].sum() / sizes[chosen].sum(), len(groups))


def _spearman(pairs: np.ndarray) -> float:
    if (pairs == pairs[0]).all(axis=0).any():
        return float("nan")
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)
