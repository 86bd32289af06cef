"""Scores of the linking branch on volumes with truth, pooled, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from spinome.linking.links import label_candidates, top_k, true_ranks
from spinome.scores.graphs import GraphScore
from spinome.scores.intervals import bootstrap, evaluation_row
from spinome.scores.segmentation import object_terms, pool_terms

KS = (1, 2, 3, 5, 10)


def segmentation_rows(tables: list[sparse.csr_array], seed: int) -> list[dict]:
    """VI and adapted Rand error over all volumes; intervals by bootstrap over true neurites.

    Parameters
    ----------
    tables : `overlaps` of each volume
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


def link_rows(links: pd.DataFrame, truth: pd.DataFrame, seed: int) -> list[dict]:
    """Top-K, mean rank, and precision, recall and f1 of links; intervals by bootstrap over true dendrites.

    Parameters
    ----------
    links : `links.parquet` of the scored volumes
    truth : `volume orphan shaft`, true links
    """
    ranks, outcome = _per_orphan(links, truth)
    groups = outcome["dendrite"].factorize()[0]
    members = [np.flatnonzero(groups == group) for group in range(groups.max(initial=-1) + 1)]

    def pooled(statistic, drawn):
        return statistic(outcome.iloc[np.concatenate([members[group] for group in drawn])])

    def interval(statistic):
        return bootstrap(lambda drawn: pooled(statistic, drawn), len(members), 500, seed)

    known = int(outcome["true"].sum())
    rows = []
    for k in KS:
        statistic = lambda part, k=k: (part.loc[part["true"], "rank"] <= k).mean()  # noqa: E731
        rows.append(evaluation_row(f"top_{k}", float(statistic(outcome)), known, "orphans", interval(statistic)))
    summary = top_k(_named(links), _named(truth), KS)
    rows.append(evaluation_row("mean_rank", summary["mean_rank"], int(np.isfinite(ranks).sum()), "rank"))
    rows.append(evaluation_row("candidates", summary["candidates"], known, "candidates an orphan"))
    for name, statistic in {"link_precision": _precision, "link_recall": _recall, "link_f1": _f1}.items():
        rows.append(evaluation_row(name, float(statistic(outcome)), len(outcome), "orphans", interval(statistic)))
    return rows


def graph_rows(name: str, scores: list[GraphScore]) -> list[dict]:
    """Graph f1, precision and recall of one state of the line graph, pooled over volumes."""
    right = sum(score.precision * score.detected for score in scores if score.detected)
    detected, true = sum(score.detected for score in scores), sum(score.true for score in scores)
    f1 = 2 * right / (detected + true) if detected + true else float("nan")
    rows = [evaluation_row(f"graph_f1_{name}", f1, true, "pairs of synapses")]
    if name == "linked":
        rows.append(evaluation_row("graph_precision", right / detected if detected else np.nan, detected, "pairs"))
        rows.append(evaluation_row("graph_recall", right / true if true else np.nan, true, "pairs"))
    return rows


def top_k_table(links: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Top-K, mean rank and candidates of each volume: `volume orphans top_1 ... mean_rank candidates`."""
    rows = [
        {"volume": volume, **top_k(links[links["volume"] == volume], known, KS)}
        for volume, known in truth.groupby("volume")
    ]
    columns = ["volume", "orphans", *[f"top_{k}" for k in KS], "mean_rank", "candidates"]
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


def _per_orphan(links: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """One row an orphan, true or reported: `true rank linked right dendrite`."""
    links, truth = _named(links), _named(truth)
    ranks = true_ranks(links, truth)
    names = np.union1d(ranks.index.to_numpy(), links["orphan"].to_numpy())
    frame = pd.DataFrame(index=pd.Index(names, name="orphan"))
    frame["true"] = frame.index.isin(ranks.index)
    frame["rank"] = ranks.reindex(frame.index)
    linked = links[links["linked"]]
    frame["linked"] = frame.index.isin(linked["orphan"])
    frame["right"] = frame.index.isin(linked["orphan"][label_candidates(linked, truth)])
    # the true shaft of an orphan; an orphan without one stands for itself
    shaft = truth.groupby("orphan")["shaft"].first().reindex(frame.index)
    frame["dendrite"] = shaft.fillna(pd.Series(frame.index, index=frame.index))
    return ranks, frame


def _precision(part: pd.DataFrame) -> float:
    return part["right"].sum() / part["linked"].sum() if part["linked"].any() else float("nan")


def _recall(part: pd.DataFrame) -> float:
    return part["right"].sum() / part["true"].sum() if part["true"].any() else float("nan")


def _f1(part: pd.DataFrame) -> float:
    total = part["linked"].sum() + part["true"].sum()
    return 2 * part["right"].sum() / total if total else float("nan")
