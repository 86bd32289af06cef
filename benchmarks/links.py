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


def detached_rows(read=pinky40.detached) -> list[Row]:
    """Links of spines that were cut off, against what was published on other data; `read` makes the draws."""
    draws = [read(pinky40.MIXTURE_NM, seed) for seed in pinky40.TRAIN_SEEDS]
    test = read(pinky40.MIXTURE_NM, pinky40.TEST_SEED)
    longest = read((pinky40.MIXTURE_NM[1], pinky40.MIXTURE_NM[1]), pinky40.TEST_SEED)
    everything = read(pinky40.MIXTURE_NM, pinky40.TEST_SEED, everything=True)
    rows = []
    for name, part, others, (first, third) in (
        ("gaps 0-300 nm, dendrites within 1.5 um", test, draws, (0.93, 0.98)),
        ("gaps of 300 nm, dendrites within 1.5 um", longest, [test], (0.90, 0.97)),
        ("gaps 0-300 nm, every label over 1 um3 within 2 um", everything, [], (0.93, 0.98)),
    ):
        links = pinky40.unseen_links(part, others)
        scores = top_k(links, part.links)
        what = f"of {scores['orphans']} spines cut off pinky40, {name} ({scores['candidates']:.1f} a spine)"
        rows.append(Row(f"Top-1 {what}", scores["top_1"], "fraction", first, False, OTHER_DATA, 0.45))
        rows.append(Row(f"Top-3 {what}", scores["top_3"], "fraction", third, False, OTHER_DATA, 0.77))
        if part is test:
            f1 = pinky40.graph_f1(links, part.links)
            rows.append(Row(f"graph f1 {what}, one synapse a spine", f1, "f1", 0.80, False, OTHER_DATA, 0.404))
            rows += agreement_rows(pinky40_meshes.agreement(part, links))
    return rows


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
        ("the same of all 24 orphans in it, thinned to 32 nm as by default", seconds(pinky40.STRIDE), 2.0),
    ]
    return [Row(name, value, "CPU-s", target, True, OTHER_DATA, 900.0) for name, value, target in rows]


def typing_rows() -> list[Row]:
    """Types of segments, by forests that did not see the specimen."""
    shapes, types, specimens = pinky40.typed()
    _, found = train_types(shapes, types, specimens, seed=0)
    rows = []
    for kind in ("spine", "shaft"):
        what = f"F1 of {kind} ({(types == kind).sum()}) among {len(types)} typed segments of pinky40"
        rows.append(Row(what, f1_score(types == kind, found == kind), "f1", 0.9))
    whole = shapes["segment"].to_numpy() == specimens
    what = (
        f"the same of spine ({(types[whole] == 'spine').sum()}) among {whole.sum()} segments as they are, none cut off"
    )
    return [*rows, Row(what, f1_score(types[whole] == "spine", found[whole] == "spine"), "f1", 0.9)]


def rows() -> list[Row]:
    """All rows of links, of their cost, and of types."""
    linked, typed = measure(detached_rows).result, measure(typing_rows).result
    return [*graph_curve_rows(), *linked, *measure(window_rows).result, *typed]
