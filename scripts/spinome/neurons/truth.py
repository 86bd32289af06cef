"""Labels to train on and to compare with: of vertices, or of points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.io.tables import read_table, table_columns
from spinome.mesh.surface import Mesh
from spinome.neurons.classes import CLASSES

POINT = ["x_nm", "y_nm", "z_nm"]
# a truth point belongs to a synapse whose centre is this near
SAME_SYNAPSE_NM = 100.0
# a synapse farther from the surface has no true vertex under it
ON_SURFACE_NM = 300.0


class NoLabelsError(ValueError):
    """A truth says nothing of a neuron."""


@dataclass(frozen=True)
class VertexTruth:
    """`label` (V,) codes of `CLASSES`, `spine` (V,) from 0 without a gap, -1 where none or where no ids are known."""

    label: np.ndarray
    spine: np.ndarray


def is_table(path: str | Path) -> bool:
    """Whether the truth is a table of labelled synapses rather than labels of vertices."""
    return Path(path).suffix != ".npz"


def has_places(path: str | Path) -> bool:
    """Whether a table of labelled synapses has their positions."""
    return set(POINT) <= set(table_columns(path))


def read_vertex_truth(path: str | Path, mesh: Mesh) -> VertexTruth:
    """Labels of the vertices of a mesh from an NPZ with `label` and perhaps `spine_id`.

    Where the file has other vertices than the mesh, with their positions in `vertices_nm`, each vertex of the
    mesh takes the label of the nearest.

    Raises
    ------
    ValueError: if the file has no labels, or neither as many as the mesh nor positions.
    """
    with np.load(path, allow_pickle=False) as data:
        if "label" not in data.files:
            raise ValueError(f"{path}: needs an array label (0 shaft, 1 spine, 2 soma), it has {', '.join(data.files)}")
        label = data["label"].astype(int)
        spine = _numbered(data["spine_id"]) if "spine_id" in data.files else np.full(len(label), -1)
        if len(label) != len(mesh.vertices):
            if "vertices_nm" not in data.files:
                raise ValueError(
                    f"{path}: has {len(label)} labels for a mesh of {len(mesh.vertices)} vertices; "
                    "add their positions as vertices_nm"
                )
            _, nearest = cKDTree(data["vertices_nm"]).query(mesh.vertices)
            label, spine = label[nearest], spine[nearest]
    return VertexTruth(label, spine)


def _numbered(ids: np.ndarray) -> np.ndarray:
    """Ids in their order as numbers from 0, -1 for those below 0: ids may have 18 digits, and numbers are counted."""
    ids = ids if ids.dtype.kind in "iu" else ids.astype(int)
    there, number = np.unique(ids, return_inverse=True)
    return np.maximum(number.reshape(-1) - int((there < 0).sum()), -1)


def read_synapse_truth(path: str | Path) -> pd.DataFrame:
    """A table of labelled synapses with a column `label` of codes; those of other labels are left out.

    A row says which synapse it is by its `id`, its place `synapse_row` in the synapse table, or its position
    `x_nm y_nm z_nm`; the label is in `tag` or `label`.

    Raises
    ------
    ValueError: if it has no such columns, or ids or rows are no whole numbers; the message names the file.
    """
    try:
        table = read_table(path, integers=["id", "synapse_row"])
    except ValueError:
        if not has_places(path):
            raise
        # ids of another program; positions say which synapse it is
        table = read_table(path).drop(columns=["id", "synapse_row"], errors="ignore")
    column = next((name for name in ("label", "tag") if name in table), None)
    if column is None or not ({"id", "synapse_row"} & set(table) or set(POINT) <= set(table)):
        raise ValueError(
            f"{path}: needs a column tag or label, and one of id, synapse_row or {' '.join(POINT)}; "
            f"it has {', '.join(table)}"
        )
    codes = {name: code for code, name in enumerate(CLASSES)}
    table = table.assign(label=table[column].map(codes))
    return table[table["label"].notna()].astype({"label": int}).reset_index(drop=True)


def truth_of_synapses(truth: pd.DataFrame, synapses: pd.DataFrame, file: str | Path = "the truth") -> np.ndarray:
    """The true code of each row of a synapse table (N,), -1 where none is known.

    Parameters
    ----------
    truth : what `read_synapse_truth` returns
    synapses : rows of one neuron, with `row`, or the index, counting the rows of its table, and `id x_nm y_nm z_nm`
    file : of the truth, for the message

    Raises
    ------
    NoLabelsError: if the truth names synapses by id or row, and none of them is the neuron's.
    """
    code = np.full(len(synapses), -1)
    named = next((name for name in ("synapse_row", "id") if name in truth), None)
    if named:
        truth = truth[truth[named].notna()]
    if named == "synapse_row":
        rows = synapses.get("row", synapses.index)
        place = pd.Index(rows).get_indexer(truth["synapse_row"])
        code[place[place >= 0]] = truth["label"].to_numpy()[place >= 0]
    elif named == "id":
        known = synapses["id"].map(truth.drop_duplicates("id").set_index("id")["label"])
        code[known.notna()] = known.dropna().astype(int)
    else:
        truth = with_place(truth, file)
        points = synapses[POINT].to_numpy(float)
        placed = np.flatnonzero(np.isfinite(points).all(axis=1))
        if len(placed):
            distance, nearest = cKDTree(points[placed]).query(truth[POINT].to_numpy(float))
            near = distance <= SAME_SYNAPSE_NM
            code[placed[nearest[near]]] = truth["label"].to_numpy()[near]
    if named and len(truth) and (code < 0).all():
        raise NoLabelsError(
            f"{file}: none of {len(truth)} labels is of a synapse of this neuron, by the column {named}; is it another "
            f"neuron's? Else correct the column, or name synapses by {' '.join(POINT)}"
        )
    return code


def with_place(truth: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """The rows of a truth that have a position; how many have none is printed."""
    placed = np.isfinite(truth[POINT].to_numpy(float)).all(axis=1)
    if not placed.all():
        print(f"{file}: {(~placed).sum()} of {len(truth)} labels have no position, and are left out")
    return truth[placed].reset_index(drop=True)
