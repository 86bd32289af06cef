"""Which shaft an orphan spine belongs to: one parent each, what is right, and a check of the grammar."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from spinome.gaps import in_gap
from spinome.linking.candidates import PLACES, compare
from spinome.linking.end_features import UNSCARRED

LINK_COLUMNS = ["orphan", "shaft", "rank", "probability", "linked", "known", "decided"]
VIOLATION_COLUMNS = ["object", "kind", "violation"]


def rank_links(
    candidates: pd.DataFrame,
    probability: np.ndarray,
    orphans: Iterable[int],
    threshold: float,
    failed: Iterable[int] = (),
) -> pd.DataFrame:
    """Order each orphan's candidates and keep one parent at most: the spanning forest of spines on shafts.

    Parameters
    ----------
    candidates : table of `candidates.COLUMNS`
    probability : (N,) of its rows, each judged alone; of the ends of an orphan the one with the largest counts, see
        `one_parent`
    orphans : all orphans; one without any candidate gets a row with shaft 0, rank 0 and probability 0
    threshold : the most probable parent is linked when its probability reaches this
    failed : those orphans whose candidates could not be computed: whether they have a parent is not known

    Returns
    -------
    Table of LINK_COLUMNS, by orphan and rank: `known` is false, and the probability not a number, for the row of an
    orphan that failed; `decided` is false (see `spinome.linking.proofread.apply_decisions`)
    """
    frame = candidates[["orphan", "shaft"]].astype(np.int64).assign(probability=np.asarray(probability, dtype=float))
    frame["near"] = candidates["distance_nm"].to_numpy(dtype=float)
    frame = frame.sort_values(["orphan", "probability", "near", "shaft"], ascending=[True, False, True, True])
    frame = frame.drop_duplicates(["orphan", "shaft"])
    frame["probability"] = one_parent(frame["orphan"].to_numpy(), frame["probability"].to_numpy())
    frame["rank"] = frame.groupby("orphan").cumcount() + 1
    frame["linked"] = (frame["rank"] == 1) & (frame["probability"] >= threshold)
    alone = np.setdiff1d(np.asarray(list(orphans), dtype=np.int64), frame["orphan"])
    known = ~np.isin(alone, np.asarray(list(failed), dtype=np.int64))
    rows = pd.DataFrame({"orphan": alone, "shaft": 0, "rank": 0, "probability": 0.0, "linked": False, "known": known})
    rows["probability"] = rows["probability"].where(known)
    frame, rows = frame.assign(known=True, decided=False)[LINK_COLUMNS], rows.assign(decided=False)[LINK_COLUMNS]
    frame = pd.concat([frame, rows]) if len(rows) else frame
    return frame.sort_values(["orphan", "rank"], ignore_index=True)


def not_known(links: pd.DataFrame) -> np.ndarray:
    """Which rows of a table of links (N,) are of orphans whose candidates could not be computed."""
    return ~links["known"].to_numpy(bool) if "known" in links else np.zeros(len(links), bool)


def parents(links: pd.DataFrame) -> dict[int, int]:
    """The shaft of each linked orphan."""
    linked = links[links["linked"]]
    return dict(zip(linked["orphan"].tolist(), linked["shaft"].tolist()))


def linked_spines(
    segments: pd.DataFrame, links: pd.DataFrame, synapses: pd.DataFrame | None, gaps: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Linked orphans as spines: `spine parent z_nm y_nm x_nm volume_um3 synapses probability`.

    `synapses` of the result counts the synapses on the spine, null where they are not known: everywhere where there is
    no table of them, and in gaps; see `grammar_violations` for the parameters.
    """
    linked = links[links["linked"]].rename(columns={"orphan": "spine", "shaft": "parent"})
    places = segments.rename(columns={"segment": "spine"})[["spine", "z_nm", "y_nm", "x_nm", "volume_um3"]]
    spines = linked[["spine", "parent", "probability"]].merge(places, on="spine")
    if synapses is None:
        spines["synapses"] = pd.array([pd.NA] * len(spines), "Int64")
    else:
        ends = pd.concat([synapses["neurite_a"], synapses["neurite_b"]]).value_counts()
        spines["synapses"] = spines["spine"].map(ends).fillna(0).astype("Int64")
        spines.loc[spines["spine"].isin(segments_in_gap(segments, gaps)), "synapses"] = pd.NA
    return spines[["spine", "parent", "z_nm", "y_nm", "x_nm", "volume_um3", "synapses", "probability"]]


def linked_bridges(candidates: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """The ends of the cheapest way of each linked orphan: `orphan shaft from_* to_*`."""
    linked = links.loc[links["linked"], ["orphan", "shaft"]]
    # the cheapest way starts anywhere on the orphan, and so is the same for all of its ends
    ways = candidates[["orphan", "shaft", *PLACES]].drop_duplicates(["orphan", "shaft"])
    return linked.merge(ways, on=["orphan", "shaft"])


def segments_in_gap(segments: pd.DataFrame, gaps: pd.DataFrame | None) -> pd.Series:
    """The segments of which a part may lie where synapses could not be looked for."""
    if gaps is None or gaps.empty:
        return segments["segment"].iloc[:0]
    places = segments[["z_nm", "y_nm", "x_nm"]].to_numpy(float)
    return segments.loc[in_gap(places, gaps, segments["extent_nm"].to_numpy(float) / 2), "segment"]


def grammar_violations(
    segments: pd.DataFrame, links: pd.DataFrame, synapses: pd.DataFrame, gaps: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What the result has that a neuron cannot have.

    A spine has one parent, which is a dendrite, and carries a synapse; a dendrite goes on to a soma or to the volume's
    edge; a synapse joins an axon with one other neurite (the grammar of Gray Roncal 2016, and the order of its
    parts). A spine that the volume's edge cuts is no orphan, and its parent may be outside. What is not known is no
    violation: the parent of an orphan whose candidates failed, the synapse of a spine in a gap.

    Parameters
    ----------
    segments : table with `segment kind on_edge`
    links : table of LINK_COLUMNS
    synapses : table with `synapse neurite_a neurite_b`, 0 where there is none
    gaps : where synapses could not be looked for (`spinome.gaps.gap_table`)

    Returns
    -------
    Table of `object kind violation`
    """
    kind = segments.set_index("segment")["kind"]
    linked = links[links["linked"]]
    count = linked.groupby("orphan")["shaft"].nunique().reindex(kind.index[kind == "orphan"], fill_value=0)
    every = count.index.difference(segments_in_gap(segments, gaps), sort=False)
    count = count[~count.index.isin(links.loc[not_known(links), "orphan"])]
    touched = set(synapses["neurite_a"]) | set(synapses["neurite_b"])
    inside = segments[(segments["kind"] == "shaft") & ~segments["on_edge"]]
    ends = np.sort(synapses[["neurite_a", "neurite_b"]].replace(parents(links)).to_numpy(np.int64), axis=1)
    both = (ends != 0).all(axis=1)
    dendrites = np.isin(ends, kind.index[kind == "shaft"]).all(axis=1)
    found = [
        ("orphan", "has no parent", count.index[count == 0]),
        ("orphan", "has more than one parent", count.index[count > 1]),
        ("orphan", "has a parent that is no shaft", linked["orphan"][linked["shaft"].map(kind) != "shaft"]),
        ("orphan", "carries no synapse", [o for o in every if o not in touched] if len(synapses) else []),
        ("shaft", "does not reach the volume's edge", inside["segment"]),
        ("synapse", "does not join two neurites", synapses["synapse"][~both]),
        ("synapse", "joins a neurite with itself", synapses["synapse"][both & (ends[:, 0] == ends[:, 1])]),
        ("synapse", "joins two dendrites", synapses["synapse"][dendrites & (ends[:, 0] != ends[:, 1])]),
    ]
    rows = [(place, what, violation) for what, violation, places in found for place in places]
    return pd.DataFrame(rows, columns=VIOLATION_COLUMNS).astype({"object": np.int64, "kind": str, "violation": str})


def top_k(links: pd.DataFrame, truth: pd.DataFrame, ks: Iterable[int] = (1, 2, 3, 5, 10)) -> dict[str, float]:
    """How often the true shaft is among the first K candidates.

    Parameters
    ----------
    links : table of LINK_COLUMNS with all candidates
    truth : `orphan shaft`, an orphan may have several right shafts (pieces of one dendrite)

    Returns
    -------
    `top_1` ... as fractions of the true orphans (one that was never a candidate's orphan counts as missed),
    `mean_rank` and `median_rank` of those found, `candidates` an orphan, `orphans`
    """
    ranks = true_ranks(links, truth)
    counted = links[links["rank"] > 0]
    per_orphan = counted[counted["orphan"].isin(ranks.index)].groupby("orphan").size()
    out = {f"top_{k}": float((ranks <= k).mean()) if len(ranks) else float("nan") for k in ks}
    found = ranks[np.isfinite(ranks)]
    out["mean_rank"] = float(found.mean()) if len(found) else float("nan")
    out["median_rank"] = float(found.median()) if len(found) else float("nan")
    out["candidates"] = float(per_orphan.mean()) if len(per_orphan) else float("nan")
    out["orphans"] = len(ranks)
    return out


def true_ranks(links: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    """The rank of the true shaft of each true orphan, inf where it is no candidate."""
    hits = truth[["orphan", "shaft"]].merge(links[links["rank"] > 0], on=["orphan", "shaft"])
    best = hits.groupby("orphan")["rank"].min().astype(float)
    return best.reindex(np.unique(truth["orphan"]), fill_value=np.inf)


def one_parent(orphans: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Probabilities that each of an orphan's candidates is its only parent, from those of each judged alone, (N,).

    They sum to 1 with that of none being it. Of the order of candidates nothing changes, but where two are likely,
    neither is sure.

    Parameters
    ----------
    orphans : (N,), each candidate once
    probability : (N,) in [0, 1]
    """
    alone = np.clip(probability, 0.0, 1 - 1e-9)
    odds = pd.Series(alone / (1 - alone))
    return (odds / (1 + odds.groupby(np.asarray(orphans)).transform("sum"))).to_numpy()


def label_candidates(candidates: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Which rows of a candidate table are true links, (N,) bool."""
    right = set(zip(truth["orphan"].tolist(), truth["shaft"].tolist()))
    return np.array([pair in right for pair in zip(candidates["orphan"].tolist(), candidates["shaft"].tolist())], bool)


def without_scars(candidates: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Every other spine as if cut off so close to its shaft that nothing of it stands there.

    A forest that has never seen such a cut leans on scars. Where it learned from these as well, it ranks cuts at the
    foot of a spine, a kind left out, for 0.69 rightly in place of 0.54, and cuts at the neck as before. From all spines
    once more it takes other cuts for less sure than they are (`benchmarks/pinky40.py`).

    Parameters
    ----------
    candidates : table of `candidates.COLUMNS`
    truth : `orphan shaft`

    Returns
    -------
    the rows of these spines
    """
    every_other = np.unique(candidates["orphan"])[::2]
    candidates = candidates[candidates["orphan"].isin(every_other)].reset_index(drop=True)
    right = label_candidates(candidates, truth)
    bare = candidates.assign(arrival_nm=candidates["arrival_nm"].where(~right, candidates["arrival_nm"].clip(upper=0)))
    bare.loc[right, list(UNSCARRED)] = list(UNSCARRED.values())
    return compare(bare)


def label_ends(candidates: pd.DataFrame, truth: pd.DataFrame) -> np.ndarray:
    """Which rows of a candidate table are of a true link at the end that was cut, (N,) bool.

    Which end that was is not asked of the truth: it is taken for the one that has the parent nearest ahead of it.
    """
    right = np.flatnonzero(label_candidates(candidates, truth))
    nearest = candidates.iloc[right].sort_values(["forward_nm", "end"]).drop_duplicates(["orphan", "shaft"])
    return candidates.index.isin(nearest.index)


def derive_truth(segments: pd.DataFrame, pairs: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """True links of a computed segmentation: an orphan belongs to the shafts that lie in its true neurite.

    Parameters
    ----------
    segments : table with `segment kind`
    pairs, counts : labels of segments and of true neurites that share voxels, and how many (`overlaps`)

    Returns
    -------
    Table of `orphan shaft`; an orphan whose true neurite has no shaft in the volume has no row
    """
    best = true_fragments(pairs, counts).merge(segments[["segment", "kind"]], on="segment")
    best = best[best["neurite"] != 0]
    orphans = best[best["kind"] == "orphan"].rename(columns={"segment": "orphan"})
    shafts = best[best["kind"] == "shaft"].rename(columns={"segment": "shaft"})
    links = orphans[["orphan", "neurite"]].merge(shafts[["shaft", "neurite"]], on="neurite")
    return links[["orphan", "shaft"]].sort_values(["orphan", "shaft"], ignore_index=True)


def true_fragments(pairs: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    """The true neurite of each segment, 0 where it straddles several: `segment neurite voxels`, its size.

    Parameters
    ----------
    pairs, counts : see `derive_truth`
    """
    frame = pd.DataFrame({"segment": pairs[:, 0], "neurite": pairs[:, 1], "overlap": counts})
    frame = frame[frame["segment"] != 0].sort_values(["overlap", "neurite"])
    best = frame.groupby("segment").tail(1).set_index("segment")
    best["voxels"] = frame.groupby("segment")["overlap"].sum()
    # more than half of a segment lies in its neurite
    best["neurite"] = best["neurite"].where(best["overlap"] > 0.5 * best["voxels"], 0)
    return best.reset_index()[["segment", "neurite", "voxels"]].sort_values("segment", ignore_index=True)
