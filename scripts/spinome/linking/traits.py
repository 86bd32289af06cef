"""What the orphans of a volume and what lies around them are like, in numbers that need no truth: the limits of links.

The forest of links learned on spines of certain sizes, cut in a certain way, among certain numbers of shafts. Where
orphans are of another kind (axons in pieces, a volume without dendrites, another animal, another way of cutting), it
ranks all the same; these numbers say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from spinome.limits import Known, judge, learn

# the largest unlikeness that goes without a warning. Each of six kinds of cut on pinky40 is 0.05 to 0.24 from the five
# others, simulated tissue 2.1 to 2.3
LIMIT = 1.0
REMEDY = (
    "give the true segments of a cutout of it, or cut off spines of its own that are whole (`linking.detach`), and "
    "train on them (`linking.train`, docs/linking.md)"
)
SIZE = "how large and how long orphans are"
ENDS = "how thin the ends of orphans are"
AROUND = "how many shafts are near, and how large they are"
NEAR = "how near the nearest shaft is"
# the traits, and what each of them is in words
TRAITS = {
    "volume": SIZE,
    "length": SIZE,
    "thinnest end": ENDS,
    "candidates": AROUND,
    "largest shaft": AROUND,
    "median shaft": AROUND,
    "distance": NEAR,
    "distance ahead": NEAR,
    "cost of the way": "how much membrane lies between orphans and shafts",
    "stub": "whether stubs stand on shafts near",
}
# sizes count as one up to this ratio: 30 nm are as good as 32
SAME_SIZE = 1.1
# asked at 24 nm and not at the 32 nm that it learned at, the shipped model has the true shaft first for 0.78 of cuts in
# place of 0.81, among three for 0.95 in place of 0.99 (docs/linking.md)
OTHER_SIZE = (
    "segments thinned to voxels of {learned:g} nm, and those of this run are thinned to {now:g} nm, so that more links "
    "are wrong: set linking.typing.working_nm to {learned:g}, or train models of this run (linking.train)"
)
STUB_NM = 1000.0  # a stub farther ahead is none of the orphan's


def describe_orphans(candidates: pd.DataFrame) -> np.ndarray:
    """The traits of each orphan that has a candidate: (orphans, traits).

    Parameters
    ----------
    candidates : table of `spinome.linking.candidates.COLUMNS`
    """
    rows, shafts = (table.groupby("orphan") for table in (candidates, candidates.drop_duplicates(["orphan", "shaft"])))
    # no voxel is smaller than these, and nothing has no logarithm
    columns = [
        np.log10(rows["orphan_um3"].first().clip(lower=1e-4)),
        np.log10(rows["length_nm"].first().clip(lower=1.0)),
        np.log10(rows["end_radius_nm"].min().clip(lower=1.0)),
        np.log10(shafts.size()),
        np.log10(shafts["shaft_um3"].max().clip(lower=1e-4)),
        np.log10(shafts["shaft_um3"].median().clip(lower=1e-4)),
        np.log10(rows["distance_nm"].min().clip(lower=10.0)),
        np.log10(rows["forward_nm"].min().clip(lower=10.0)),
        np.log10(rows["path_cost_nm"].min().clip(lower=10.0)),
        (rows["stub_nm"].min() < STUB_NM).astype(float),
    ]
    return np.stack([column.to_numpy(float) for column in columns], axis=1)


def known_of(tables: Sequence[pd.DataFrame]) -> Known:
    """What a forest knows that was trained on these tables of candidates."""
    return learn(np.concatenate([describe_orphans(table) for table in tables]), list(TRAITS))


def nothing_to_link(orphans: int, shafts: int) -> str:
    """What is to be said of a volume in which so many orphans and shafts were found, where no link can be made."""
    if orphans and shafts:
        return ""
    if orphans:
        lost = f"has no shaft, so that none of its orphans ({orphans}) is linked"
    elif shafts:
        lost = "has no orphan, so that there is nothing to link"
    else:
        lost = "has neither a shaft nor an orphan, so that there is nothing to link"
    return f"{lost}. Where that is wrong, look at its voxel size, and at what `linking.typing` takes for either"


def judge_limits(candidates: pd.DataFrame, card: Mapping[str, Any], working_nm: float) -> dict[str, Any]:
    """Whether the orphans of a volume are beyond the limits of a forest: `spinome.limits.LIMIT_COLUMNS`.

    Parameters
    ----------
    working_nm : voxel to which segments were thinned; a forest that learned at another size ranks worse
    """
    learned_nm = card.get("working_nm", working_nm)
    near = max(learned_nm, working_nm) <= SAME_SIZE * min(learned_nm, working_nm)
    lacking = "" if near else OTHER_SIZE.format(learned=learned_nm, now=working_nm)
    return judge(Known.of_card(card), describe_orphans(candidates), LIMIT, TRAITS, REMEDY, lacking)
