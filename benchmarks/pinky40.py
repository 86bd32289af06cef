"""Links on real dendrites: spines of `pinky40` cut off at the neck, so that the shaft of each is known.

The forests that ship are made by `config/training/links.yaml`. All that is scored here is by forests that saw neither
the true dendrite of a spine nor, where it is said, its kind of cut.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from spinome.configuration.linking import Candidates, Links, Typing
from spinome.io.models import Model
from spinome.io.volumes import create_volume, open_labels
from spinome.linking.candidates import (
    TYPED,
    compare,
    find_candidates,
    group_candidates,
    group_names,
    with_types,
)
from spinome.linking.choice import weigh_scores
from spinome.linking.detach import KINDS, detach_spines
from spinome.linking.line_graph import line_graph, rename_neurites
from spinome.linking.link_model import Lesson, dendrite_splits, fit_scores, lesson, pool, unseen_scores
from spinome.linking.links import parents, rank_links, without_scars
from spinome.linking.shape import FEATURES as SHAPE_FEATURES
from spinome.linking.shape import shape_features
from spinome.linking.typing import measure_segments, train_types, type_probabilities, type_segments, without_axons
from spinome.scores.graphs import score_graphs

DATA = Path(os.environ.get("SPINOME_DATA", Path(__file__).parents[2] / "shared" / "data")) / "em" / "pinky40"
TYPES = Path(__file__).parents[1] / "config" / "training" / "pinky40_types.tsv"
WORKING_NM, STRIDE = (40.0, 32.0, 32.0), (1, 4, 4)
# the draw of all spines, cut at their necks, and draws of half of them, one for each kind of cut
TEST_SEED, FIRST_SEED, SHARE = 0, 10, 0.5
WHOLE = (1, 1, 1)
MIXTURE_NM = (0.0, 300.0)  # of neck that is lost
WINDOW = (140, 700, 700)  # voxels at full size
LINK_FROM = Links().threshold


class Detached(NamedTuple):
    """`candidates` of the cut spines and their true `links`."""

    candidates: pd.DataFrame
    links: pd.DataFrame


@cache
def segmentation() -> np.ndarray:
    """The labels, thinned to WORKING_NM."""
    with h5py.File(DATA / "segmentation_z000-320.h5") as file:
        return file["segmentation"][:, :: STRIDE[1], :: STRIDE[2]]


def types() -> pd.DataFrame:
    """Types by eye: `segment type pass`."""
    return pd.read_csv(TYPES, sep="\t")


def dendrites() -> np.ndarray:
    """Labels that are dendrites by eye, of the first pass, whose spines are cut off."""
    known = types()
    return known.loc[(known["type"] == "shaft") & (known["pass"] == 1), "segment"].to_numpy()


@cache
def detach(
    gap_nm: tuple[float, float], seed: int, kind: str = "neck", share: float = 1.0
) -> tuple[np.ndarray, pd.DataFrame]:
    """Labels with spines cut off, and the table of cuts."""
    return detach_spines(segmentation(), dendrites(), WORKING_NM, kinds=(kind,), gap_nm=gap_nm, seed=seed, share=share)


@cache
def ruled() -> pd.DataFrame:
    """What is a shaft by the default rules on size, measured."""
    labels, _ = detach(MIXTURE_NM, TEST_SEED)
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    rules = Typing().model_dump(exclude={"working_nm", "shaft_min_probability"})
    segments["kind"] = type_segments(segments, **rules)
    return segments[segments["kind"] == "shaft"]


@cache
def shafts() -> pd.DataFrame:
    """Those that are hardly axons or glia by their shape, as by default: `segment` and TYPED.

    Each is typed by a forest that did not see it.
    """
    labels, _ = detach(MIXTURE_NM, TEST_SEED)
    own = ruled()
    shapes, found, specimen = typed()
    forest, unseen = train_types(shapes, found, specimen, seed=0)
    probability = pd.DataFrame(unseen, columns=[f"p_{name}" for name in forest.classes_])
    probability.insert(0, "segment", shapes["segment"].to_numpy())
    others = own[~own["segment"].isin(probability["segment"])]
    told = type_probabilities(Model(forest, SHAPE_FEATURES), shape_features(labels, others, WORKING_NM))
    own = own.merge(pd.concat([probability, told]), on="segment")
    own = own.assign(kind=without_axons(own, Typing().shaft_min_probability))
    return own.loc[own["kind"] == "shaft", ["segment", *TYPED]]


@cache
def detached(gap_nm: tuple[float, float], seed: int, kind: str = "neck", share: float = 1.0) -> Detached:
    """Cut spines and their candidates, found and typed as by default."""
    labels, links = detach(gap_nm, seed, kind, share)
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    orphans = segments[segments["segment"].isin(links["orphan"])]
    near = shafts()["segment"].to_numpy()
    found = group_candidates(labels, None, orphans, near, None, WHOLE, WORKING_NM, Candidates().radius_nm)
    return Detached(with_types(found, shafts()), links)


def longest() -> Detached:
    """A draw of spines of which as much neck is lost as ever."""
    return detached((MIXTURE_NM[1], MIXTURE_NM[1]), 20, "neck", SHARE)


def draws() -> dict[str, Detached]:
    """A draw of each kind of cut."""
    return {kind: detached(MIXTURE_NM, FIRST_SEED + number, kind, SHARE) for number, kind in enumerate(KINDS)}


def of_dendrites(part: Detached) -> Detached:
    """The same cuts, with dendrites by eye alone as candidates."""
    own = part.candidates[part.candidates["shaft"].isin(dendrites())]
    return Detached(compare(own.reset_index(drop=True)), part.links)


def lesson_of(part: Detached) -> Lesson:
    """What a draw teaches."""
    return lesson(*part, "pinky40")


def scarless(part: Detached) -> Detached:
    """The same cuts without scars, from which a forest learns as well."""
    return Detached(without_scars(*part), part.links)


def unseen_links(tests: list[Detached], teachers: list[Detached]) -> list[pd.DataFrame]:
    """Links of draws, each by scores that were learned on the teachers without its dendrite.

    They are learned from the teachers' spines without their scars as well, and weighed on the teachers' rows of
    dendrites that are neither its own nor in its fold.
    """
    taught = pool([lesson_of(part) for part in [*teachers, *map(scarless, teachers)]])
    splits = dendrite_splits(taught.cut, taught.dendrite)
    models = [fit_scores(taught.rows(seen), 0) for seen, _ in splits]
    scores = unseen_scores(taught, splits, models)
    as_cut = np.arange(len(scores)) < sum(len(teacher.candidates) for teacher in teachers)
    for model, (seen, _) in zip(models, splits):
        known = seen[as_cut[seen]]
        own = taught.rows(known)
        model.weights = weigh_scores(scores[known], own.right, own.orphan, own.shaft)
    linked = []
    for test in tests:
        own = lesson_of(test)
        probability = np.full(len(own.right), np.nan)
        for model, (seen, _) in zip(models, splits):
            # a dendrite without a spine in the teachers was seen by none
            mine = ~np.isin(own.dendrite, taught.dendrite[seen]) & np.isnan(probability)
            if mine.any():
                probability[mine] = model.predict_proba(own.features[mine])[:, 1]
        linked.append(rank_links(test.candidates, probability, test.links["orphan"], LINK_FROM))
    return linked


def kinds_left_out(draws: dict[str, Detached]) -> tuple[Detached, pd.DataFrame, Detached, pd.DataFrame]:
    """All draws as one, and the same with dendrites alone as candidates, with their links.

    Each spine is linked by a model that saw neither its dendrite nor its kind of cut; orphans are numbered anew.
    """
    every: list[list] = [[], [], [], []]
    for number, (kind, draw) in enumerate(draws.items()):
        tests = [draw, of_dendrites(draw)]
        found = unseen_links(tests, [other for name, other in draws.items() if name != kind])
        for place, table in enumerate([tests[0], found[0], tests[1], found[1]]):
            parts = [table] if isinstance(table, pd.DataFrame) else list(table)
            # labels are below 10,000
            moved = [part.assign(orphan=part["orphan"] + 100_000 * number) for part in parts]
            every[place].append(moved[0] if isinstance(table, pd.DataFrame) else Detached(*moved))
    whole, links, own, own_links = every
    joined = [Detached(*(pd.concat(parts, ignore_index=True) for parts in zip(*tables))) for tables in (whole, own)]
    return joined[0], pd.concat(links, ignore_index=True), joined[1], pd.concat(own_links, ignore_index=True)


def made(links: pd.DataFrame, truth: pd.DataFrame) -> tuple[float, float]:
    """Precision and recall of the links that were made."""
    linked = links[links["linked"]].merge(truth[["orphan", "shaft"]], on="orphan", suffixes=("", "_true"))
    right = (linked["shaft"] == linked["shaft_true"]).sum()
    return right / max(len(linked), 1), right / len(truth)


def graph_f1(links: pd.DataFrame, truth: pd.DataFrame) -> float:
    """Graph f1 when each cut spine carries one synapse: pairs of spines that are on one dendrite."""
    synapses = pd.DataFrame({"synapse": truth["orphan"], "neurite_a": truth["orphan"], "neurite_b": 0})
    whole = line_graph(rename_neurites(synapses, dict(zip(truth["orphan"], truth["shaft"]))))
    linked = line_graph(rename_neurites(synapses, parents(links)))
    return score_graphs(linked, whole, {orphan: orphan for orphan in truth["orphan"]}).f1


def window(stride: tuple[int, int, int]) -> tuple[np.ndarray, pd.DataFrame]:
    """A window of 140 x 700 x 700 full voxels in the middle of the volume, thinned by a stride, with the spines cut.

    Returns
    -------
    labels, and the rows of the table of cuts whose orphans lie within
    """
    labels, links = detach(MIXTURE_NM, TEST_SEED)
    places = (links[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / WORKING_NM).astype(int)
    # a spine is cut at the working size, and its voxels there are blocks of full ones
    low = np.array([(n - w // step) // 2 for n, w, step in zip(labels.shape, WINDOW, STRIDE)])
    box = tuple(slice(a, a + w // step) for a, w, step in zip(low, WINDOW, STRIDE))
    inside = ((places >= low) & (places < low + np.array(WINDOW) // STRIDE)).all(axis=1)
    if stride == STRIDE:
        return labels[box], links[inside]
    with h5py.File(DATA / "segmentation_z000-320.h5") as file:
        whole = file["segmentation"][
            tuple(slice(side.start * step, side.stop * step) for side, step in zip(box, STRIDE))
        ]
    cut = np.where(labels[box] != segmentation()[box], labels[box], 0).astype(whole.dtype)
    for axis, step in enumerate(STRIDE):
        cut = np.repeat(cut, step, axis)
    return np.where(cut, cut, whole), links[inside]


def window_seconds(stride: tuple[int, int, int], radius_nm: float = 1500.0, orphans: int | None = None) -> float:
    """Mean CPU-seconds for all features of an orphan, of those nearest the middle of `window`."""
    labels, links = window(stride)
    voxel_nm = tuple(size * step / thin for size, step, thin in zip(WORKING_NM, stride, STRIDE))
    middle = (links[["z_nm", "y_nm", "x_nm"]] - links[["z_nm", "y_nm", "x_nm"]].mean()).abs().sum(axis=1)
    chosen = links.loc[middle.sort_values().index[:orphans], "orphan"].tolist()
    none = np.zeros((0, 3))
    near = shafts()["segment"].to_numpy()
    find_candidates(labels, chosen[0], near, none, None, voxel_nm, 100.0)  # compiled first
    started = time.process_time()
    for orphan in chosen:
        find_candidates(labels, orphan, near, none, None, voxel_nm, radius_nm)
    return (time.process_time() - started) / len(chosen)


def orphan_seconds() -> float:
    """Mean CPU-seconds for all features of a cut spine, with the cutting and measuring of its volume, but not with the
    typing of shafts."""
    shafts()
    detach.cache_clear()
    started = time.process_time()
    part = detached.__wrapped__(MIXTURE_NM, TEST_SEED)
    return (time.process_time() - started) / len(part.links)


def stored_seconds(most: int = 20) -> float:
    """Mean CPU-seconds for all features of the cut spines of one cube of a volume that is stored at full size.

    What is stored are the thinned labels, each voxel as many as it stands for, in Zarr chunks of 64 x 256 x 256.
    """
    labels, links = detach(MIXTURE_NM, TEST_SEED)
    near = shafts()["segment"].to_numpy()
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    orphans = segments[segments["segment"].isin(links["orphan"])]
    cubes = orphans.groupby(group_names(orphans, Candidates().group_nm))
    orphans = max((cube for _, cube in cubes), key=len).iloc[:most]
    voxel_nm = tuple(size / step for size, step in zip(WORKING_NM, STRIDE))
    with TemporaryDirectory() as folder:
        shape = tuple(length * step for length, step in zip(labels.shape, STRIDE))
        stored = create_volume(folder, shape, np.uint64, voxel_nm, (64, 256, 256))
        for z in range(0, shape[0], 64):
            stored[z : z + 64] = labels[z : z + 64].repeat(STRIDE[1], 1).repeat(STRIDE[2], 2)
        volume = open_labels(folder)
        for some in (orphans.iloc[:1], orphans):  # compiled first
            started = time.process_time()
            group_candidates(volume, None, some, near, None, STRIDE, voxel_nm, Candidates().radius_nm)
    return (time.process_time() - started) / len(orphans)


def typed() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Shapes of the labelled segments and of the cut spines, their types by eye or by construction, and specimens.

    A dendrite and the spines that were cut off it are one specimen.
    """
    labels, links = detach(MIXTURE_NM, TEST_SEED)
    known = types().set_index("segment")["type"]
    known = pd.concat([known, pd.Series("spine", index=links["orphan"])])
    segments = measure_segments(labels, WORKING_NM, WHOLE)
    shapes = shape_features(labels, segments[segments["segment"].isin(known.index)], WORKING_NM)
    specimen = shapes["segment"].map(links.set_index("orphan")["shaft"]).fillna(shapes["segment"])
    return shapes, shapes["segment"].map(known).to_numpy(), specimen.to_numpy(np.int64)
