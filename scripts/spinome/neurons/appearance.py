"""What the mesh of a neuron is like, in numbers that need no label: the traits that a forest's limits go by.

They are taken from the domains alone, so that a neuron is judged without its mesh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spinome.limits import Known, judge, learn
from spinome.mesh.hks import TIMES_NM2
from spinome.neurons.condense import Domains

# every fifth time of the signature: neighbouring times say the same
SAMPLED = range(0, len(TIMES_NM2), 5)
DENSITY = "vertices per um^2"
RESOLUTION = "how many vertices its surface has (a mesh of low resolution, or simplified)"
GIRTH = "how thick its branches are (another kind of cell, or another unit than nm)"
VARIETY = "how much its surface varies (spines, somata, or noise of the surface)"
# the traits, and what each of them is in words
TRAITS = {
    DENSITY: RESOLUTION,
    "domains per um^2": VARIETY,
    **{f"mean log HKS at {TIMES_NM2[time]:.3g} nm^2": GIRTH for time in SAMPLED},
    **{f"spread of log HKS at {TIMES_NM2[time]:.3g} nm^2": VARIETY for time in SAMPLED},
}
# the largest unlikeness that goes without a warning. Each of the eight neurons that the shipped forest learnt from is
# 0.1 to 1.5 from the seven others. A simulated neuron at half, twice and four times its size is at 1.6, 1.3 and 2.4,
# where weighted F1 on its synapses is 0.76, 0.83 and 0.16
LIMIT = 1.5
# meshes of fewer vertices per um^2 are unlike whatever the rest of them: on a simulated neuron that weighted F1 is 0.95
# at 5, 0.79 at 2 and 0.66 at 1
FEWEST = 5.0
REMEDY = (
    "give a mesh of a finer resolution, in nm, or label a few hundred of its synapses and train on them "
    "(`neurons.train`, config/README.md)"
)


def describe(domains: Domains) -> np.ndarray:
    """The traits (1, traits) of a neuron, in the order of `TRAITS`."""
    area_um2 = domains.area_nm2 / 1e6
    share = domains.area_nm2 / domains.area_nm2.sum()
    sampled = domains.log_hks[:, SAMPLED].astype(float)
    mean = share @ sampled
    spread = np.sqrt(share @ (sampled - mean) ** 2)
    # vertices that are doubled or have no face do not make a mesh finer
    vertices = len(domains.label) if domains.vertices is None else int(domains.vertices)
    density = [np.log(count / area_um2.sum()) for count in (vertices, len(share))]
    return np.array([[*density, *mean, *spread]])


def known_of(neurons: Sequence[Domains]) -> Known:
    """What a forest knows that was trained on these neurons."""
    return learn(np.concatenate([describe(domains) for domains in neurons]), list(TRAITS))


def judge_limits(traits: np.ndarray, card: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a neuron of these traits is beyond the limits of a forest: `spinome.limits.LIMIT_COLUMNS`.

    One trait among many hardly moves their mean, but below `FEWEST` vertices per um^2 it spoils all others. There the
    unlikeness is at least `LIMIT`, and rises as the vertices get fewer.
    """
    known = Known.of_card(card)
    judged = judge(known, traits, LIMIT, TRAITS, REMEDY)
    coarse = LIMIT * FEWEST / float(np.exp(traits[0, list(TRAITS).index(DENSITY)]))
    if known is None or coarse <= max(LIMIT, judged["unlikeness"]):
        return judged
    return judged | {"unlikeness": coarse, "unlike": True, "differs": RESOLUTION, "remedy": REMEDY}
