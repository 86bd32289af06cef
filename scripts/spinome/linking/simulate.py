"""What links are worth to the graph: spines detached at random, and orphans given to where they belong.

After Gray Roncal (2016). Detaching only takes pairs of synapses away, so each repeat is one look at the pairs of the
whole line graph, never a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spinome.linking.line_graph import line_graph
from spinome.linking.links import label_candidates

CURVE = ["fraction", "pairs", "f1", "f1_low", "f1_high"]
FRACTIONS = np.linspace(0, 1, 11)


def detachment_curve(
    synapses: pd.DataFrame, fractions: Sequence[float], repeats: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Graph f1 against the fraction of spines that are cut off.

    Parameters
    ----------
    synapses : `synapse axon dendrite spine`: `axon` and `dendrite` are neurites, 0 where there is none; `spine` is
        the spine that the synapse sits on, 0 for one on a shaft
    fractions : shares of all spines, in [0, 1]
    repeats : draws per fraction

    Returns
    -------
    Table of CURVE: `fraction`, mean number of `pairs` left, mean `f1` and its 2.5 and 97.5 percentiles `f1_low` and
    `f1_high`; empty where no two synapses share a neurite
    """
    # axons and dendrites may share numbers
    names = {column: synapses[column].to_numpy(np.int64) for column in ("axon", "dendrite")}
    ends = pd.DataFrame({"synapse": np.arange(len(synapses)), "neurite_a": 2 * names["axon"]})
    ends["neurite_b"] = np.where(names["dendrite"] != 0, 2 * names["dendrite"] + 1, 0)
    pairs = line_graph(ends)
    if not len(pairs):
        return pd.DataFrame(columns=CURVE, dtype=float)
    spines, spine = np.unique(synapses["spine"], return_inverse=True)
    first, second = pairs.T
    axon, on_spine = names["axon"], spines[spine] != 0
    kept = (axon[first] == axon[second]) & (axon[first] != 0)
    kept |= (spine[first] == spine[second]) & on_spine[first]
    always, first, second = kept.sum(), first[~kept], second[~kept]
    rng = np.random.default_rng(seed)
    choices = np.flatnonzero(spines != 0)
    rows = []
    for fraction in fractions:
        left = np.empty(repeats)
        for repeat in range(repeats):
            off = np.zeros(len(spines), dtype=bool)
            off[rng.permutation(choices)[: round(fraction * len(choices))]] = True
            lost = off[spine]
            left[repeat] = always + np.count_nonzero(~(lost[first] | lost[second]))
        f1 = 2 * left / (left + len(pairs))
        rows.append((fraction, left.mean(), f1.mean(), *np.percentile(f1, [2.5, 97.5])))
    return pd.DataFrame(rows, columns=CURVE)


def true_sides(synapses: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The table of `detachment_curve` for the synapses of a volume whose orphans have known parents.

    The dendrite of a synapse is the side that is an orphan or a shaft of the truth, the axon the other.

    Parameters
    ----------
    synapses : `synapse neurite_a neurite_b`, orphans not yet renamed
    truth : `orphan shaft`
    """
    shaft = truth.drop_duplicates("orphan").set_index("orphan")["shaft"]
    first = synapses["neurite_a"].isin(shaft.index) | synapses["neurite_a"].isin(shaft)
    post = synapses["neurite_a"].where(first, synapses["neurite_b"])
    return pd.DataFrame(
        {
            "synapse": synapses["synapse"],
            "axon": synapses["neurite_b"].where(first, synapses["neurite_a"]),
            "dendrite": post.map(shaft).fillna(post).astype(np.int64),
            "spine": post.where(post.isin(shaft.index), 0),
        }
    )


def proofread_parents(links: pd.DataFrame, truth: pd.DataFrame, most: int) -> dict[int, int]:
    """The shaft of each orphan when a perfect proofreader sees its `most` first candidates.

    An orphan whose true shaft is not among them stays alone.

    Parameters
    ----------
    links : table of `links.LINK_COLUMNS`; truth : `orphan shaft`
    """
    seen = links[links["rank"].between(1, most)]
    right = seen[label_candidates(seen, truth)].drop_duplicates("orphan")
    return dict(zip(right["orphan"].tolist(), right["shaft"].tolist()))


def largest_fragments(fragments: pd.DataFrame, orphans: np.ndarray) -> dict[int, int]:
    """The largest fragment of the same true neurite for each orphan: what perfect linking could reach.

    Parameters
    ----------
    fragments : `segment neurite voxels`, the true neurite of each segment (0 for none) and its size
    orphans : segments to link, such as those that carry synapses
    """
    known = fragments[fragments["neurite"] != 0].sort_values(["voxels", "segment"])
    largest = known.groupby("neurite")["segment"].last()
    own = known.set_index("segment")["neurite"].reindex(orphans).dropna()
    parents = own.map(largest)
    return {int(orphan): int(parent) for orphan, parent in parents.items() if orphan != parent}
