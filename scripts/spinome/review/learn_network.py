"""What the synapse network learns from answers.

It learns as from a few labels (`synapses.train`): from the network of before, in few steps. But an answer is about one
candidate, and a volume with some answers is no labelled volume: what nobody was asked about counts neither as synapse
nor as background.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.columns import POSITION
from spinome.cuboids import Cuboid
from spinome.hashing import content_hash
from spinome.review.extent import Stroke, read_extent, within
from spinome.review.questions import NM_PER_UM
from spinome.synapses.classifiers import of_network
from spinome.synapses.classify import Evidence
from spinome.synapses.network.augment import Teacher, pixels_of
from spinome.synapses.network.fit import fit_network
from spinome.synapses.network.unet import CELL, Network, average, shrink
from spinome.synapses.objects.detect import detect
from spinome.synapses.objects.merge import Rules, merge_candidates
from spinome.synapses.objects.patches import Parts, load_parts, paint_parts
from spinome.synapses.training.learners import FEW_STEPS
from spinome.synapses.training.train import FEW_SHARE, FEW_THRESHOLD

# of the cuboids of all volumes those are learned from in which most was answered: each is looked through several times
MOST_CUBOIDS = 16
# what the card of the network of before says that is true of the new one as well; its scores are not
KEPT_ON_CARD = ("kind", "task", "pixel_nm", "training data", "lacking")


@dataclass(frozen=True)
class Source:
    """A volume, and what was found in some of its cuboids.

    first : row of its first candidate in the table of the candidates of all volumes
    parts, ids : of each cuboid, or the files of the former; the candidate that each part belongs to, counted from 1
    rules : `connectivity` and the settings of `spinome.synapses.objects.merge.Rules.of`
    answers : how many there are in these cuboids
    """

    name: str
    evidence: Evidence
    first: int
    cuboids: Sequence[Cuboid]
    parts: Sequence[Parts | Path]
    ids: Sequence[np.ndarray]
    rules: Mapping[str, Any]
    answers: int = 0

    @property
    def rows(self) -> np.ndarray:
        """Rows (N,) of the candidates that lie in these cuboids, in the table of all."""
        found = np.unique(np.concatenate([np.zeros(0, np.int64), *self.ids]))
        return found[found > 0] + self.first - 1


def most_answered(sources: Sequence[Source], answers: pd.DataFrame) -> list[Source]:
    """The sources with the cuboids alone in which most was answered, at most `MOST_CUBOIDS` of all.

    Parameters
    ----------
    answers : of `spinome.review.answers.candidates_said`
    """
    counts = []
    for number, source in enumerate(sources):
        own = answers.loc[answers["unit"] == source.name, POSITION].to_numpy(float) * NM_PER_UM
        for place, cuboid in enumerate(source.cuboids):
            inside = lies_in(own, cuboid, source.evidence.voxel_nm)
            counts.append((-int(inside.sum()), number, place))
    kept = sorted(row for row in counts if row[0])[:MOST_CUBOIDS]
    out = []
    for number, source in enumerate(sources):
        # in raster order, as merging asks
        mine = sorted((place, -count) for count, own, place in kept if own == number)
        places, told = [place for place, _ in mine], sum(count for _, count in mine)
        lists = ([values[place] for place in places] for values in (source.cuboids, source.parts, source.ids))
        out.append(replace(source, **dict(zip(("cuboids", "parts", "ids"), lists)), answers=told))
    return out


def lies_in(place_nm: np.ndarray, cuboid: Cuboid, voxel_nm: Sequence[float]) -> np.ndarray:
    """Which places (N, 3) lie in a cuboid without its halo: (N,) bool."""
    voxel = np.floor(place_nm / np.array(voxel_nm))
    ends = np.array([[axis.start, axis.stop] for axis in cuboid.core]).T
    return ((voxel >= ends[0]) & (voxel < ends[1])).all(axis=1)


def relearn(
    start: Network,
    sources: Sequence[Source],
    candidates: pd.DataFrame,
    rows: np.ndarray,
    true: np.ndarray,
    painted: pd.DataFrame,
    seed: int,
    store: str | Path | None = None,
) -> tuple[Network, pd.DataFrame, np.ndarray] | None:
    """A network that learned from answers, and what it finds; None where they show no synapse, or nothing else.

    It operates as networks do that have learned from few synapses (`spinome.synapses.training.train`).

    Parameters
    ----------
    start : is left as it is
    candidates : of the network of before, in all volumes
    rows, true : those of them that answers are about (A,), and whether these say that they are synapses
    painted : answers with an `extent`, which are masks
    store : folder of checkpoints, so that what was killed goes on where it stopped; of one `start` and one version of
        the code alone

    Returns
    -------
    the network; its candidates in the cuboids of the sources, measured, with `volume` and `section_um`; and which of
    the candidates of before (N,) have their middle there, as of the others it says nothing
    """
    said = dict(zip(rows.tolist(), true.tolist()))
    teachers = [one for source in sources for one in teachers_of(source, said, painted, start)]
    if not (any(one.objects for one in teachers) and any(one.refused for one in teachers)):
        return None
    checkpoint = Path(store) / f"{_hash_of(teachers, seed)}.pt" if store else None
    net = fit_network(teachers, FEW_STEPS, seed, start.net, checkpoint)
    sizes = candidates["volume_um3"].to_numpy(float)[rows[true]]
    card = {name: start.card[name] for name in KEPT_ON_CARD if name in start.card}
    card |= {"threshold": FEW_THRESHOLD, "min_peak": 0.0, "taught_by": start.card}
    card["min_volume_um3"] = FEW_SHARE * float(np.median(sizes)) if len(sizes) else 0.0
    network = Network(net, card)
    looked, place_nm = np.zeros(len(candidates), bool), candidates[["z_nm", "y_nm", "x_nm"]].to_numpy(float)
    for source in sources:
        own = (candidates["volume"] == source.name).to_numpy()
        for cuboid in source.cuboids:
            looked |= own & lies_in(place_nm, cuboid, source.evidence.voxel_nm)
    return network, pd.concat([find_again(source, network) for source in sources], ignore_index=True), looked


def _hash_of(teachers: Sequence[Teacher], seed: int) -> str:
    """What tells these teachers from others, to the last pixel."""
    digest = hashlib.blake2b(digest_size=8)
    for one in teachers:
        for values in (one.image, one.truth, one.known, *one.objects, *one.refused):
            digest.update(np.ascontiguousarray(values).tobytes())
    return content_hash(digest.hexdigest(), FEW_STEPS, seed)


def find_again(source: Source, network: Network) -> pd.DataFrame:
    """The candidates of a network in the cuboids of a source, measured; `synapse` is 0 where its rules drop one."""
    probability, voxel_nm = of_network(network).probability, source.evidence.voxel_nm
    threshold, settings = network.card["threshold"], dict(source.rules)
    parts = [detect(source.evidence, cuboid, probability, threshold) for cuboid in source.cuboids]
    connectivity, rules = settings.pop("connectivity"), Rules.of(settings, network.card)
    found, _ = merge_candidates(parts, source.evidence.image.shape, voxel_nm, connectivity, rules, measured=True)
    return found.assign(volume=source.name, section_um=voxel_nm[0] / NM_PER_UM)


def teachers_of(source: Source, said: Mapping[int, bool], painted: pd.DataFrame, network: Network) -> list[Teacher]:
    """A teacher of each cuboid in which something was answered, drawn as often as there are answers in it.

    Parameters
    ----------
    said : by row of a candidate in the table of all, whether it is a synapse
    painted : answers with an `extent`
    """
    evidence, found = source.evidence, []
    factors = network.factors(evidence.voxel_nm)
    names = np.array([row for row in said if row in set(source.rows.tolist())], np.int64)
    true = np.array([said[row] for row in names.tolist()], bool)
    names = names - source.first + 1
    strokes = [stroke for text in painted.loc[painted["unit"] == source.name, "extent"] for stroke in read_extent(text)]
    for cuboid, parts, ids in zip(source.cuboids, source.parts, source.ids):
        parts = parts if isinstance(parts, Parts) else load_parts(parts)
        brushed = under_brush(strokes, cuboid, evidence.voxel_nm)
        yes, no, rest = (
            (paint_parts(parts, np.isin(ids, own).astype(np.uint8)) > 0) & ~brushed
            for own in (names[true], names[~true], np.setdiff1d(ids, names))
        )
        if not (yes | no | brushed).any():
            continue
        truth, refused, shown, open_, sure = (
            average(mask.astype(np.uint8), factors) for mask in (yes | brushed, no, yes | no, rest, brushed)
        )
        # a cell counts if all of its pixels do, so that the rim of what was shown as a whole belongs to it; where a
        # person painted, the rim is not known
        near = ndimage.maximum_filter(shown, (1, 2 * CELL + 1, 2 * CELL + 1)) > 0
        known = (near & (open_ == 0)) | (sure == 1)
        image = shrink(evidence.grey.levels(evidence.image[cuboid.core]), factors)
        synapses, refusals = pixels_of(truth > 0), pixels_of(refused > 0)
        weight = (len(synapses) + len(refusals)) / image.size
        found.append(Teacher(image, truth, synapses, (1.0, 1.0), weight, known.astype(np.float32), refusals))
    return found


def under_brush(strokes: Sequence[Stroke], cuboid: Cuboid, voxel_nm: Sequence[float]) -> np.ndarray:
    """The voxels of a cuboid that were painted, in the section of a stroke: (Z, Y, X) bool."""
    size_um, start = np.array(voxel_nm) / NM_PER_UM, np.array(cuboid.start)
    inside = np.zeros(cuboid.shape, bool)
    for stroke in strokes:
        reach = np.array([0.0, stroke.radius_um, stroke.radius_um])
        way = np.column_stack([np.full(len(stroke.way_um), stroke.z_um), stroke.way_um])
        low = np.floor((way.min(axis=0) - reach) / size_um).astype(int) - start
        high = np.floor((way.max(axis=0) + reach) / size_um).astype(int) - start + 1
        near = tuple(slice(*ends) for ends in np.clip([low, high], 0, inside.shape).T.tolist())
        where = np.stack(np.mgrid[near], -1).reshape(-1, 3)
        # the section that the stroke lies in is chosen already
        found = within([stroke], (where + start + 0.5) * size_um, size_um[0])
        inside[near] |= found.reshape(inside[near].shape)
    return inside
