"""How well labels and spines agree with a truth, pooled over neurons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spinome.mesh.closed_volume import closed_volumes, group_mean, owned_faces
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.mesh.surface import Mesh, vertex_areas
from spinome.mesh.welding import weld
from spinome.neurons import truth
from spinome.neurons.classes import CLASSES
from spinome.neurons.spines import Labelled
from spinome.neurons.validation_groups import BLOCK_NM
from spinome.scores.classification import classification_rows, confusions
from spinome.scores.intervals import bootstrap, evaluation_row

COMPARED = ["neuron", "kind", "group", "truth", "found", "value"]


def compare_synapses(neuron: str, mesh: Mesh, synapses: pd.DataFrame, truth_file: str) -> pd.DataFrame:
    """True and found class of the synapses of a neuron that have a truth; autapses are not asked for.

    Parameters
    ----------
    synapses : the neuron's rows of `neurons/synapses.parquet`
    truth_file : labels of synapses (a table), or of vertices (.npz): then of the vertex under each synapse

    Returns
    -------
    Table `neuron kind group truth found value`; codes, found -1 where the synapse has no label

    Raises
    ------
    ValueError: as `truth.truth_of_synapses`.
    """
    synapses = synapses.reset_index(drop=True)
    if truth.is_table(truth_file):
        code = truth.truth_of_synapses(truth.read_synapse_truth(truth_file), synapses, truth_file)
    else:
        code = np.full(len(synapses), -1)
        points = synapses[truth.POINT].to_numpy(float)
        placed = np.isfinite(points).all(axis=1)
        vertex, distance = nearest_on_surface(mesh.vertices, mesh.faces, points[placed])
        label = truth.read_vertex_truth(truth_file, mesh).label[vertex]
        code[placed] = np.where(distance <= truth.ON_SURFACE_NM, label, -1)
    autapse = synapses["reason"].fillna("").str.startswith("autapse").to_numpy(bool)
    known = (code >= 0) & (code < len(CLASSES)) & ~autapse
    found = synapses["tag"].map({name: code for code, name in enumerate(CLASSES)}).fillna(-1).astype(int)
    group = _blocks(neuron, synapses[truth.POINT].to_numpy(float))
    return pd.DataFrame(
        {
            "neuron": neuron,
            "kind": "synapse",
            "group": group,
            "truth": code,
            "found": found,
            "value": synapses["value"].astype(float),
        }
    )[known].reset_index(drop=True)


def compare_points(neuron: str, mesh: Mesh, labelled: Labelled, truth_file: str) -> pd.DataFrame:
    """True and found class of labelled points of a neuron whose synapses are not given; as `compare_synapses`.

    Raises
    ------
    ValueError: if the truth has no positions; the message names the file and the remedy.
    """
    table = truth.read_synapse_truth(truth_file)
    if not set(truth.POINT) <= set(table):
        raise ValueError(f"{truth_file}: names synapses by id or row; fill the column synapses of the sample sheet")
    table = truth.with_place(table, truth_file)
    points = table[truth.POINT].to_numpy(float)
    vertex, distance = nearest_on_surface(mesh.vertices, mesh.faces, points)
    near = distance <= truth.ON_SURFACE_NM
    return pd.DataFrame(
        {
            "neuron": neuron,
            "kind": "synapse",
            "group": _blocks(neuron, points),
            "truth": table["label"].to_numpy(),
            "found": np.where(near, labelled.label[vertex].astype(int), -1),
            "value": np.where(near, labelled.probability[vertex].max(axis=1), np.nan),
        }
    )


def compare_vertices(neuron: str, mesh: Mesh, labelled: Labelled, label: np.ndarray) -> pd.DataFrame:
    """True and found class of the vertices of a neuron that have a truth `label` (V,)."""
    known = (label >= 0) & (label < len(CLASSES))
    return pd.DataFrame(
        {
            "neuron": neuron,
            "kind": "vertex",
            "group": _blocks(neuron, mesh.vertices),
            "truth": label,
            "found": labelled.label.astype(int),
            "value": labelled.probability.max(axis=1).astype(float),
        }
    )[known].reset_index(drop=True)


def compare_spines(
    neuron: str, mesh: Mesh, found: np.ndarray, true: np.ndarray, min_area_um2: float = 0.2
) -> pd.DataFrame:
    """True and found spines of a neuron, and what became of each.

    Two spines match when each shares more surface with the other than with any other spine, and it is at least half
    of the true one. A true spine is split when two or more found ones have each a quarter of it; a found spine is
    merged when it holds half or more of each of several true ones, all but one of which count.

    Parameters
    ----------
    found, true : (V,) spine of each vertex, -1 where none
    min_area_um2 : smaller true spines are not asked for

    Returns
    -------
    Table `neuron group true found matched split merged volume_ratio`, a row per true and a row per found spine, counts
    of 0 and 1; the ratio is that of the volumes found and true of a match, both of the surface, NaN elsewhere
    """
    welded, origin = weld(mesh)
    true, found = (_of_welded(ids, origin, len(welded.vertices)) for ids in (true, found))
    area = vertex_areas(welded.vertices, welded.faces)
    size = np.bincount(true[true >= 0], area[true >= 0], minlength=1)
    true = np.where((true >= 0) & (size[np.maximum(true, 0)] >= min_area_um2 * 1e6), true, -1)
    shared = pd.DataFrame({"true": true, "found": found, "area": area})[(true >= 0) & (found >= 0)]
    shared = shared.groupby(["true", "found"], as_index=False)["area"].sum()
    shared["share"] = shared["area"] / size[shared["true"]]
    best = [
        shared.sort_values("area", ascending=False, kind="stable").drop_duplicates(side) for side in ("true", "found")
    ]
    match = best[0].merge(best[1][["true", "found"]])
    match = match[match["share"] >= 0.5]
    covering = shared[shared["share"] >= 0.25].groupby("true").size()
    merged = shared[shared["share"] >= 0.5].groupby("found").size() - 1
    volume = {
        name: closed_volumes(welded.vertices, *owned_faces(welded.faces, ids), int(ids.max(initial=-1)) + 1)
        for name, ids in (("true", true), ("found", found))
    }
    ratio = volume["found"][match["found"]] / np.maximum(volume["true"][match["true"]], 1.0)
    parts = []
    for name, ids in (("true", true), ("found", found)):
        own = np.unique(ids[ids >= 0])
        centre = group_mean(welded.vertices[ids >= 0], ids[ids >= 0], int(ids.max(initial=-1)) + 1)[own]
        parts.append(pd.DataFrame({"group": _blocks(neuron, centre), name: 1}, index=own))
    parts[0] = parts[0].assign(
        matched=parts[0].index.isin(match["true"]).astype(int),
        split=parts[0].index.isin(covering[covering > 1].index).astype(int),
        volume_ratio=pd.Series(ratio, match["true"].to_numpy()),
    )
    parts[1] = parts[1].assign(merged=merged)
    counts = ["true", "found", "matched", "split", "merged"]
    table = pd.concat(parts, ignore_index=True).assign(neuron=neuron)
    return table.assign(**table[counts].fillna(0).astype(int))


def evaluation(compared: pd.DataFrame, spines: pd.DataFrame) -> list[dict]:
    """Rows of the evaluation; intervals resample cubes of 20 um, since neighbours are not independent.

    Parameters
    ----------
    compared : what `compare_synapses` and `compare_vertices` return
    spines : what `compare_spines` returns
    """
    rows = []
    for kind, unit in (("synapse", "synapses"), ("vertex", "vertices")):
        chosen = compared[compared["kind"] == kind]
        if len(chosen):
            counts = confusions(*(chosen[name].to_numpy() for name in ("truth", "found", "group")), len(CLASSES))
            rows += classification_rows(counts, CLASSES, kind, unit)
    if len(spines):
        cubes = [rows for _, rows in spines.groupby("group")]
        tally = np.array([cube[["true", "found", "matched", "split", "merged"]].sum() for cube in cubes], float)
        rows += [
            _ratio("spine_recall", tally[:, 2], tally[:, 0], "true spines"),
            _ratio("spine_precision", tally[:, 2], tally[:, 1], "found spines"),
            _ratio("spine_count_ratio", tally[:, 1], tally[:, 0], "true spines"),
            _ratio("spine_split", tally[:, 3], tally[:, 0], "true spines"),
            _ratio("spine_merged", tally[:, 4], tally[:, 0], "true spines"),
        ]
        errors = [(cube["volume_ratio"].dropna() - 1).abs().to_numpy() for cube in cubes]

        def median(chosen: Sequence[int]) -> float:
            drawn = np.concatenate([errors[number] for number in chosen])
            return float(np.median(drawn)) if len(drawn) else float("nan")

        matched = int(tally[:, 2].sum())
        if matched:
            everything = range(len(errors))
            interval = bootstrap(median, len(errors))
            rows.append(evaluation_row("spine_volume_error", median(everything), matched, "matched spines", interval))
    return rows


def _ratio(metric: str, part: np.ndarray, whole: np.ndarray, unit: str) -> dict:
    def ratio(chosen: Sequence[int] | slice) -> float:
        total = whole[chosen].sum()
        return float(part[chosen].sum() / total) if total else float("nan")

    return evaluation_row(metric, ratio(slice(None)), int(whole.sum()), unit, bootstrap(ratio, len(whole)))


def _of_welded(ids: np.ndarray, origin: np.ndarray, size: int) -> np.ndarray:
    """Ids (W,) of the welded vertices, those of vertices at one place being alike."""
    welded = np.full(size, -1)
    welded[origin] = ids
    return welded


def _blocks(neuron: str, points: np.ndarray) -> list[str]:
    cube = np.nan_to_num(points // BLOCK_NM).astype(int)
    return [f"{neuron}:{x}:{y}:{z}" for x, y, z in cube]
