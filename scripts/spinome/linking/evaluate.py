"""Scores of the linking branch on volumes with truth, pooled, with intervals."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import sparse

from spinome.cuboids import Shape, cuboids
from spinome.gaps import gaps_within, without_gaps
from spinome.io.volumes import Volume
from spinome.linking.line_graph import induced, line_graph, rename_neurites
from spinome.linking.links import label_candidates, not_known, parents, top_k, true_ranks
from spinome.linking.simulate import largest_fragments, proofread_parents
from spinome.scores.graphs import GraphScore, score_graphs
from spinome.scores.intervals import bootstrap, evaluation_row
from spinome.scores.overlap import overlaps
from spinome.scores.segmentation import object_terms, pool_terms

KS = (1, 2, 3, 5, 10)
BETAS = (0.5, 1, 2)


def overlaps_by_cuboid(
    first: Volume | np.ndarray, second: Volume | np.ndarray, cuboid: Shape, gaps: pd.DataFrame | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What `overlaps` says of two volumes that are read cuboid by cuboid; nothing is counted in the gaps of them.

    Parameters
    ----------
    first, second : labels of one shape, sliced by boxes
    cuboid : voxels (z, y, x) read at once
    gaps : see `spinome.gaps`
    """
    parts = [(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))]
    for block in cuboids(first.shape, cuboid):
        known = np.ones(block.shape, np.uint8)
        if gaps is not None:
            without_gaps(known, gaps_within(gaps, block.core))
        if known.any():
            parts.append(overlaps(first[block.core][known > 0], second[block.core][known > 0]))
    pairs, counts = (np.concatenate(rows) for rows in zip(*parts))
    pairs, number = np.unique(pairs, axis=0, return_inverse=True)
    return pairs, np.bincount(number.ravel(), weights=counts, minlength=len(pairs)).astype(np.int64)


def segmentation_rows(tables: list[sparse.csr_array], seed: int) -> list[dict]:
    """VI and adapted Rand error over all volumes; intervals by bootstrap over true neurites.

    Parameters
    ----------
    tables : `overlap_table` of each volume
    """
    terms = np.concatenate([object_terms(table) for table in tables])
    score = pool_terms(terms)
    rows = []
    for metric, unit in (("vi_split", "bits"), ("vi_merge", "bits"), ("rand_error", "fraction")):
        interval = bootstrap(
            lambda drawn, metric=metric: getattr(pool_terms(terms[drawn]), metric), len(terms), 300, seed
        )
        rows.append(evaluation_row(metric, getattr(score, metric), len(terms), unit, interval))
    return rows


def known_links(links: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[dict]]:
    """Links and true links without the orphans whose candidates could not be computed, and a row that counts these.

    Parameters
    ----------
    links : `links.parquet` of the scored volumes; truth : `volume orphan shaft`
    """
    keys = ["volume", "orphan"]
    failed = pd.MultiIndex.from_frame(links.loc[not_known(links), keys].drop_duplicates())
    asked = len(truth[keys].drop_duplicates())
    links, truth = (table[~pd.MultiIndex.from_frame(table[keys]).isin(failed)] for table in (links, truth))
    lost = asked - len(truth[keys].drop_duplicates())
    return links, truth, [evaluation_row("orphans_not_known", lost, asked, "orphans")] if lost else []


def link_rows(links: pd.DataFrame, truth: pd.DataFrame, seed: int) -> list[dict]:
    """Top-K, mean rank, and precision, recall and f1 of links; intervals by bootstrap over true dendrites.

    Parameters
    ----------
    links : `links.parquet` of the scored volumes
    truth : `volume orphan shaft`, true links
    """
    outcome = _per_orphan(links, truth)
    dendrite = outcome["dendrite"].factorize()[0]

    def row(metric: str, counted: pd.Series, of: pd.Series) -> dict:
        """A ratio of counts, over all orphans and over dendrites drawn again."""
        parts = np.stack([np.bincount(dendrite, weights=part) for part in (counted & of, of)])
        interval = bootstrap(lambda drawn: _ratio(*parts[:, drawn].sum(axis=1)), parts.shape[1], 1000, seed)
        return evaluation_row(metric, _ratio(*parts.sum(axis=1)), int(parts[1].sum()), "orphans", interval)

    rows = [row(f"top_{k}", outcome["rank"] <= k, outcome["true"]) for k in KS]
    summary = top_k(_named(links), _named(truth), KS)
    found = int(np.isfinite(outcome["rank"]).sum())
    rows.append(evaluation_row("mean_rank", summary["mean_rank"], found, "rank"))
    rows.append(evaluation_row("median_rank", summary["median_rank"], found, "rank"))
    rows.append(evaluation_row("candidates", summary["candidates"], summary["orphans"], "candidates an orphan"))
    precision = row("link_precision", outcome["right"], outcome["linked"])
    recall = row("link_recall", outcome["right"], outcome["true"])
    sums = np.stack([np.bincount(dendrite, weights=outcome[part]) for part in ("right", "linked", "true")])
    scores = []
    for beta in BETAS:
        interval = bootstrap(
            lambda drawn, beta=beta: _f_beta(*sums[:, drawn].sum(axis=1), beta), sums.shape[1], 1000, seed
        )
        scores.append(
            evaluation_row(f"link_f{beta:g}", _f_beta(*sums.sum(axis=1), beta), len(outcome), "orphans", interval)
        )
    return [*rows, precision, recall, *scores]


def graph_states(links: pd.DataFrame, truth: pd.DataFrame, fragments: pd.DataFrame) -> dict[str, dict[int, int]]:
    """The parents of orphans in every state of a volume whose graph is scored.

    Parameters
    ----------
    links : `links.parquet` of the volume; truth : `orphan shaft`, its true links
    fragments : `segment neurite voxels`, the true neurite of each segment (0 for none) and its size

    Returns
    -------
    `orphans` (none has a parent), `linked` (as found), `proofread_top_K` (a perfect proofreader among the first K),
    `all` (every orphan on a true shaft), and `largest_fragment` (every segment on the largest of its true neurite)
    """
    states = {"orphans": {}, "linked": parents(links)}
    states |= {f"proofread_top_{k}": proofread_parents(links, truth, k) for k in KS}
    states["all"] = dict(truth.drop_duplicates("orphan")[["orphan", "shaft"]].itertuples(index=False))
    if len(fragments):
        states["largest_fragment"] = largest_fragments(fragments, fragments["segment"].to_numpy())
    return states


def score_states(
    synapses: pd.DataFrame,
    states: dict[str, dict[int, int]],
    true_pairs: np.ndarray,
    match: dict[int, int],
    orphans: Collection[int],
) -> dict[str, tuple[GraphScore, GraphScore]]:
    """Score the line graph of a volume in every state: whole, and the subgraph of the synapses on its orphans.

    Parameters
    ----------
    synapses : `synapse neurite_a neurite_b`, orphans not yet renamed
    states : what `graph_states` returns
    true_pairs : (P, 2) of true synapses; match : the true synapse of a detected one
    orphans : those that have a true parent; the subgraph is that of the matched synapses on them
    """
    on_orphan = synapses["synapse"][synapses[["neurite_a", "neurite_b"]].isin(orphans).any(axis=1)]
    own = {synapse: match[synapse] for synapse in on_orphan if synapse in match}
    true_part = induced(true_pairs, own.values())
    scores = {}
    for state, renamed in states.items():
        pairs = line_graph(rename_neurites(synapses, renamed))
        scores[state] = score_graphs(pairs, true_pairs, match), score_graphs(induced(pairs, own), true_part, own)
    return scores


def graph_rows(state: str, scores: list[tuple[GraphScore, GraphScore]]) -> list[dict]:
    """Graph f1 of one state, whole and on the subgraph, pooled over volumes; of the links found also its parts."""
    rows = []
    for graph, parts in zip(("graph", "subgraph"), zip(*scores)):
        right = sum(score.precision * score.detected for score in parts if score.detected)
        detected, true = sum(score.detected for score in parts), sum(score.true for score in parts)
        rows.append(
            evaluation_row(f"{graph}_f1_{state}", _ratio(2 * right, detected + true), true, "pairs of synapses")
        )
        if state == "linked":
            rows.append(evaluation_row(f"{graph}_precision", _ratio(right, detected), detected, "pairs"))
            rows.append(evaluation_row(f"{graph}_recall", _ratio(right, true), true, "pairs"))
    return rows


def top_k_table(links: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Top-K, mean rank and candidates of each volume: `volume orphans top_1 ... mean_rank median_rank
    candidates`."""
    rows = [
        {"volume": volume, **top_k(links[links["volume"] == volume], known, KS)}
        for volume, known in truth.groupby("volume")
    ]
    columns = ["volume", "orphans", *[f"top_{k}" for k in KS], "mean_rank", "median_rank", "candidates"]
    return pd.DataFrame(rows, columns=columns)


def precision_recall(links: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Precision and recall of linking each orphan to its best candidate, over all thresholds.

    Returns
    -------
    Table of `probability precision recall`, by falling probability
    """
    best = links[links["rank"] == 1].sort_values("probability", ascending=False, kind="stable")
    right = label_candidates(_named(best), _named(truth))
    orphans = max(len(truth[["volume", "orphan"]].drop_duplicates()), 1)
    count = np.arange(1, len(best) + 1)
    return pd.DataFrame(
        {
            "probability": best["probability"].to_numpy(),
            "precision": np.cumsum(right) / count,
            "recall": np.cumsum(right) / orphans,
        }
    )


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Orphans and shafts by names that are unique over volumes."""
    volume = frame["volume"].astype(str)
    return frame.assign(
        orphan=volume + "/" + frame["orphan"].astype(str), shaft=volume + "/" + frame["shaft"].astype(str)
    )


def _per_orphan(links: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """One row per orphan, true or reported: `true rank linked right dendrite`."""
    links, truth = _named(links), _named(truth)
    ranks = true_ranks(links, truth)
    frame = pd.DataFrame(index=pd.Index(np.union1d(ranks.index.to_numpy(), links["orphan"].to_numpy()), name="orphan"))
    frame["true"] = frame.index.isin(ranks.index)
    frame["rank"] = ranks.reindex(frame.index, fill_value=np.inf)
    linked = links[links["linked"]]
    frame["linked"] = frame.index.isin(linked["orphan"])
    frame["right"] = frame.index.isin(linked["orphan"][label_candidates(linked, truth)])
    # an orphan that belongs to no shaft stands for itself
    shaft = truth.groupby("orphan")["shaft"].first().reindex(frame.index)
    frame["dendrite"] = shaft.fillna(pd.Series(frame.index, index=frame.index))
    return frame


def _ratio(count: float, of: float) -> float:
    return float(count / of) if of else float("nan")


def _f_beta(right: float, linked: float, true: float, beta: float) -> float:
    """Recall counts `beta` times as much as precision."""
    return _ratio((1 + beta**2) * right, linked + beta**2 * true)
