"""How well labels and spines agree with a truth, pooled over neurons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from spinome.io.meshes import Mesh, vertex_areas
from spinome.neurons import truth
from spinome.neurons.branches import BLOCK_NM
from spinome.neurons.classify import CLASSES
from spinome.neurons.labelled import Labelled
from spinome.neurons.surface import nearest_on_surface
from spinome.scores.classification import classification_rows, confusions
from spinome.scores.intervals import bootstrap, evaluation_row

COMPARED = ["neuron", "kind", "group", "truth", "found", "value"]


def compare_synapses(neuron: str, mesh: Mesh, synapses: pd.DataFrame, truth_file: str) -> pd.DataFrame:
    """True and found class of the synapses of a neuron that have a truth; autapses are not asked for.

    Parameters
    ----------
    synapses : the neuron's rows of `neurons/synapses.parquet`, in the order of its synapse table
    truth_file : labels of synapses (a table), or of vertices (.npz): then of the vertex under each synapse

    Returns
    -------
    Table `neuron kind group truth found value`; codes, found -1 where the synapse has no label
    """
    synapses = synapses.reset_index(drop=True)
    if truth.is_table(truth_file):
        code = truth.truth_of_synapses(truth.read_synapse_truth(truth_file), synapses)
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
    """Count true, found and matched spines in each cube of a neuron.

    A true and a found spine match where each is the other's greatest overlap in vertices, and the found one has
    at least half of the true one.

    Parameters
    ----------
    found, true : (V,) spine of each vertex, -1 where none
    min_area_um2 : smaller true spines are not asked for

    Returns
    -------
    Table `neuron group true found matched`, a row a cube
    """
    inside = true >= 0
    size = np.bincount(true[inside], minlength=1)
    area = np.bincount(true[inside], vertex_areas(mesh.vertices, mesh.faces)[inside], minlength=1)
    true = np.where(inside & (area[np.maximum(true, 0)] >= min_area_um2 * 1e6), true, -1)
    both = pd.DataFrame({"true": true, "found": found})[(true >= 0) & (found >= 0)]
    overlap = both.value_counts().rename("vertices").reset_index()
    best_of_true = overlap.sort_values("vertices", ascending=False, kind="stable").drop_duplicates("true")
    best_of_found = overlap.sort_values("vertices", ascending=False, kind="stable").drop_duplicates("found")
    match = best_of_true.merge(best_of_found, on=["true", "found", "vertices"])
    matched = set(match["true"][match["vertices"] >= size[match["true"]] / 2])
    parts = []
    for name, spine in (("true", true), ("found", found)):
        inside = spine >= 0
        centre = pd.DataFrame(mesh.vertices[inside]).groupby(spine[inside]).mean()
        parts.append(pd.DataFrame({"group": _blocks(neuron, centre.to_numpy()), name: 1, "id": centre.index}))
    parts[0]["matched"] = parts[0]["id"].isin(matched).astype(int)
    table = pd.concat(parts).fillna({"true": 0, "found": 0, "matched": 0})
    return table.groupby("group")[["true", "found", "matched"]].sum().astype(int).reset_index().assign(neuron=neuron)


def evaluation(compared: pd.DataFrame, spines: pd.DataFrame) -> list[dict]:
    """Rows of the evaluation; intervals resample cubes of 20 um, since neighbours are not independent.

    Parameters
    ----------
    compared : from `compare_synapses` and `compare_vertices`
    spines : from `compare_spines`
    """
    rows = []
    for kind, unit in (("synapse", "synapses"), ("vertex", "vertices")):
        chosen = compared[compared["kind"] == kind]
        if len(chosen):
            counts = confusions(*(chosen[name].to_numpy() for name in ("truth", "found", "group")), len(CLASSES))
            rows += classification_rows(counts, CLASSES, kind, unit)
    if len(spines):
        tally = spines[["true", "found", "matched"]].to_numpy(float)
        rows += [
            _ratio("spine_recall", tally[:, 2], tally[:, 0], "true spines"),
            _ratio("spine_precision", tally[:, 2], tally[:, 1], "found spines"),
            _ratio("spine_count_ratio", tally[:, 1], tally[:, 0], "true spines"),
        ]
    return rows


def _ratio(metric: str, part: np.ndarray, whole: np.ndarray, unit: str) -> dict:
    def ratio(chosen: Sequence[int] | slice) -> float:
        total = whole[chosen].sum()
        return float(part[chosen].sum() / total) if total else float("nan")

    return evaluation_row(metric, ratio(slice(None)), int(whole.sum()), unit, bootstrap(ratio, len(whole)))


def _blocks(neuron: str, points: np.ndarray) -> list[str]:
    cube = np.nan_to_num(points // BLOCK_NM).astype(int)
    return [f"{neuron}:{x}:{y}:{z}" for x, y, z in cube]
