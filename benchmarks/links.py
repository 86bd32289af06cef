"""Links and types on real mouse dendrites, and the graph of real synapses."""

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, roc_auc_score

import pinky40
import pinky40_meshes
from runner import Row, measure
from segments import DATA, SANTIAGO
from spinome.linking.line_graph import line_graph, rename_neurites
from spinome.linking.links import top_k
from spinome.linking.simulate import detachment_curve, largest_fragments
from spinome.linking.typing import train_types
from spinome.scores.graphs import score_graphs

OTHER_DATA = f"{SANTIAGO} on other data, with membranes"
FRAGMENTS = "Gray Roncal et al. (2015), published on an automatic segmentation of other data"
ORPHAN = "all features of an orphan at 32 nm, with the cutting and measuring of its volume, mean of 210, busy machine"
STORED = "all features of an orphan of 20 in one cube, of a volume stored at 40 x 8 x 8 nm, thinned to 32 nm"
CUBE_UM = 5.0  # at which neurites are broken


def kasthuri() -> pd.DataFrame:
    """The synapses of kasthuri2015: `synapse axon dendrite spine` and their places in um."""
    table = pd.read_csv(DATA.parent / "kasthuri2015" / "synapses.csv", skipinitialspace=True)
    # as published, each synapse on a spine is a spine of its own
    spine = np.where(table["is_spine"] != 0, table["syn"], 0)
    return table[["axon", "dendrite", "x_um", "y_um", "z_um"]].assign(synapse=table["syn"], spine=spine)


def detachment_ends() -> tuple[float, float, float]:
    """Pairs of the graph of kasthuri2015 whole and with all spines detached, and graph f1 with half detached."""
    curve = detachment_curve(kasthuri(), [0.0, 0.5, 1.0], repeats=1000)
    return curve["pairs"].iloc[0], curve["pairs"].iloc[2], curve["f1"].iloc[1]


def largest_fragment_f1(cube_um: float) -> tuple[float, float]:
    """Graph f1 of kasthuri2015 with all spines off and neurites broken at cubes, before and after linking each spine
    to the fragment of its dendrite with the most synapses."""
    table = kasthuri()
    # axons, dendrites and spines get numbers apart
    axon, dendrite = 3 * table["axon"], np.where(table["dendrite"] != 0, 3 * table["dendrite"] + 1, 0)
    whole = pd.DataFrame({"synapse": table["synapse"], "neurite_a": axon, "neurite_b": dendrite})
    cube = np.unique(table[["x_um", "y_um", "z_um"]] // cube_um, axis=0, return_inverse=True)[1].ravel()
    count = cube.max() + 1
    pieces = [
        np.where(neurite != 0, 3 * (neurite * count + cube) + part, 0) for part, neurite in enumerate((axon, dendrite))
    ]
    spine = 3 * table["spine"] + 2
    broken = whole.assign(neurite_a=pieces[0], neurite_b=np.where(table["spine"] != 0, spine, pieces[1]))
    sides = [pd.DataFrame({"segment": broken[side], "neurite": whole[side]}) for side in ("neurite_a", "neurite_b")]
    fragments = pd.concat(sides).value_counts().rename("voxels").reset_index()
    parents = largest_fragments(fragments[fragments["segment"] != 0], spine[table["spine"] != 0].to_numpy())
    match = {synapse: synapse for synapse in table["synapse"]}
    pairs = [line_graph(ends) for ends in (broken, rename_neurites(broken, parents))]
    before, after = (score_graphs(found, line_graph(whole), match).f1 for found in pairs)
    return before, after


def graph_curve_rows() -> list[Row]:
    """The ends of the published curve, on the published graph."""
    whole, none, half = measure(detachment_ends).result
    before, after = measure(largest_fragment_f1, CUBE_UM).result
    broken = f"graph f1 of the same, all spines detached, neurites broken at cubes of {CUBE_UM:g} um"
    return [
        Row("pairs in the graph of kasthuri2015, whole", whole, "pairs", 31_980, False, SANTIAGO, 31_980),
        Row("the same, all spines detached", none, "pairs", 2_718, True, SANTIAGO, 2_718),
        Row("graph f1 of the same, half of the spines detached, mean of 1,000 draws", half, "f1"),
        Row(f"{broken}, as they are", before, "f1", None, False, FRAGMENTS, 0.31),
        Row(f"{broken}, each spine on the largest fragment of its dendrite", after, "f1", None, False, FRAGMENTS, 0.64),
    ]


def detached_rows() -> list[Row]:
    """Links of spines that were cut off, against what was published on other data."""
    draws = pinky40.draws()
    whole, links, own, own_links = pinky40.kinds_left_out(draws)
    without_neck = [draw for kind, draw in draws.items() if kind != "neck"]
    longest = pinky40.longest()
    everything = pinky40.detached(pinky40.MIXTURE_NM, pinky40.TEST_SEED)
    (long_links,) = pinky40.unseen_links([longest], without_neck)
    (all_links,) = pinky40.unseen_links([everything], list(draws.values()))
    unseen = "dendrite and kind of cut unseen"
    rows = []
    for name, part, found, (first, third) in (
        (f"gaps 0-300 nm, six kinds of cut, {unseen}, dendrites", own, own_links, (0.90, 0.98)),
        (f"gaps 0-300 nm, six kinds of cut, {unseen}, automatic candidates", whole, links, (0.88, 0.97)),
        (f"gaps of 300 nm at the neck, {unseen}, automatic candidates", longest, long_links, (0.80, 0.93)),
        ("gaps 0-300 nm at the neck, dendrite unseen, automatic candidates", everything, all_links, (0.88, 0.97)),
    ):
        scores = top_k(found, part.links)
        what = f"of {scores['orphans']} spines cut off pinky40, {name} ({scores['candidates']:.1f} a spine)"
        rows.append(Row(f"Top-1 {what}", scores["top_1"], "fraction", first, False, OTHER_DATA, 0.45))
        rows.append(Row(f"Top-3 {what}", scores["top_3"], "fraction", third, False, OTHER_DATA, 0.77))
        if part is whole or part is everything:
            precision, recall = pinky40.made(found, part.links)
            rows.append(Row(f"precision of the links made {what}", precision, "fraction", 0.95))
            rows.append(Row(f"recall of the links made {what}", recall, "fraction", 0.80))
    f1 = pinky40.graph_f1(all_links, everything.links)
    what = f"of these {len(everything.links)} spines, one synapse a spine"
    rows.append(Row(f"graph f1 {what}", f1, "f1", 0.78, False, OTHER_DATA, 0.404))
    return rows + agreement_rows(pinky40_meshes.agreement(everything, all_links))


def agreement_rows(table: pd.DataFrame) -> list[Row]:
    """How well wrong links are told by their probability, and by that and the labels of the linked meshes."""
    linked = table[table["verdict"].str.startswith("linked") & table["spine_probability"].notna()]
    wrong = ~linked["right"].astype(bool)
    what = f"{wrong.sum()} wrong ones among {len(linked)} links of these told from right ones, by"
    return [
        Row(f"{what} probability of the link", roc_auc_score(wrong, 1 - linked["link_probability"]), "AUC"),
        Row(f"{what} that and the label of the linked mesh", roc_auc_score(wrong, linked["doubt"]), "AUC"),
    ]


def window_rows() -> list[Row]:
    """Cost of the features, against a quarter hour an orphan."""
    seconds, whole = pinky40.window_seconds, pinky40.WHOLE
    what = "all features of one orphan, window 140 x 700 x 700 of 40 x 8 x 8 nm, every voxel, shafts"
    rows = [
        (f"{what} within 1.5 um", seconds(whole, orphans=1), 10.0),
        (f"{what} within 2.6 um: anywhere in the window", seconds(whole, 2600.0, 1), 10.0),
        ("the same within 1.5 um, mean of 8 orphans in one window", seconds(whole, orphans=8), 2.0),
        ("the same of all 24 orphans in it, thinned to 32 nm", seconds(pinky40.STRIDE), 0.5),
        (ORPHAN, pinky40.orphan_seconds(), 0.5),
        (STORED, pinky40.stored_seconds(), 0.5),
    ]
    return [Row(name, value, "CPU-s", target, True, OTHER_DATA, 900.0) for name, value, target in rows]


def typing_rows() -> list[Row]:
    """Types of segments, by forests that did not see the specimen."""
    shapes, types, specimens = pinky40.typed()
    forest, unseen = train_types(shapes, types, specimens, seed=0)
    found = forest.classes_[unseen.argmax(axis=1)]
    ruled = shapes["segment"].isin(pinky40.ruled()["segment"]).to_numpy()
    whole = shapes["segment"].to_numpy() == specimens
    rows = []
    for kind, some, target, what in (
        ("shaft", ruled, 0.92, "of what the default rules take for shafts (the rest axons, glia and a soma)"),
        ("spine", ruled | True, 0.9, "typed segments of pinky40"),
        ("shaft", ruled | True, 0.9, "typed segments of pinky40"),
        ("spine", whole, 0.9, "of these as they are, none cut off"),
    ):
        right, said = types[some] == kind, found[some] == kind
        rows.append(Row(f"F1 of {kind} ({right.sum()}) among {some.sum()} {what}", f1_score(right, said), "f1", target))
    return rows


def rows() -> list[Row]:
    """All rows of links, of their cost, and of types."""
    linked, typed = measure(detached_rows).result, measure(typing_rows).result
    return [*graph_curve_rows(), *linked, *measure(window_rows).result, *typed]
