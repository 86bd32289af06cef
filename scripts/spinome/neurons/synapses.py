"""A label for each synapse of a neuron, or the reason why it has none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spinome.io.cave import ENDS, POSITION
from spinome.io.tables import numbers
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.neurons.classes import CLASSES

COLUMNS = {
    "source": "string",
    "neuron": "string",
    "id": "Int64",
    "tag": "string",
    "value": "float64",
    "p_soma": "float64",
    "p_shaft": "float64",
    "p_spine": "float64",
    "distance_nm": "float64",
    "spine": "Int64",
    "reason": "string",
    "z_nm": "float64",
    "y_nm": "float64",
    "x_nm": "float64",
    "size": "number",
    "pre_pt_root_id": "Int64",
    "post_pt_root_id": "Int64",
    **dict.fromkeys(ENDS, "float64"),
    "row": "Int64",
}
# this many synapses, and all of them too far, are not chance: one in a hundred of a neuron's own is
SUSPICIOUS = 3


def label_synapses(
    synapses: pd.DataFrame,
    vertices: np.ndarray,
    faces: np.ndarray,
    probability: np.ndarray,
    spine_of: np.ndarray,
    max_distance_nm: float = 300.0,
) -> pd.DataFrame:
    """Label the synapses of a neuron by the place of its surface that each is nearest to.

    Parameters
    ----------
    synapses : what `spinome.io.cave.read_synapses` returns
    vertices : (V, 3) nm, faces : (F, 3)
    probability : (V, 3) of each vertex, in the order of `CLASSES`
    spine_of : (V,) spine of each vertex, -1 where none
    max_distance_nm : a synapse farther from the surface is left out

    Returns
    -------
    Table with a row for each row of `synapses`, in its order; `tag` is empty where a `reason` is given, `row` is the
    place in the table that the synapses were read from

    Raises
    ------
    ValueError: if there are `SUSPICIOUS` synapses and all are too far: they are another neuron's or in another unit.
    """
    table = unlabelled(synapses, None)
    vertex, distance, reason = on_surface(synapses, vertices, faces, max_distance_nm)
    labelled = reason == None  # noqa: E711 (an array of objects)
    winner = probability[vertex].argmax(axis=1)
    table["distance_nm"] = distance
    table["reason"] = pd.array(reason, "string")
    table["tag"] = pd.array(np.where(labelled, np.array(CLASSES, object)[winner], None), "string")
    table["value"] = np.where(labelled, probability[vertex].max(axis=1), np.nan)
    for code, name in enumerate(CLASSES):
        table[f"p_{name}"] = np.where(labelled, probability[vertex, code], np.nan)
    on_spine = labelled & (winner == CLASSES.index("spine")) & (spine_of[vertex] >= 0)
    table["spine"] = pd.array(np.where(on_spine, spine_of[vertex], 0), "Int64")
    table.loc[~on_spine, "spine"] = pd.NA
    return table


def on_surface(
    synapses: pd.DataFrame, vertices: np.ndarray, faces: np.ndarray, max_distance_nm: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the synapses (N) of a neuron lie on its surface; takes and raises what `label_synapses` does.

    Returns
    -------
    vertex (N,), distance (N,) in nm, and the reason (N,) why a synapse has no label, None where it has one
    """
    points = synapses[POSITION].to_numpy(float)
    placed = np.isfinite(points).all(axis=1)
    vertex, distance = np.zeros(len(points), np.int64), np.full(len(points), np.nan)
    if placed.any():
        vertex[placed], distance[placed] = nearest_on_surface(vertices, faces, points[placed])
    far = placed & (distance > max_distance_nm)
    if placed.sum() >= SUSPICIOUS and far.sum() == placed.sum():
        raise ValueError(
            f"all {placed.sum()} synapses are farther than {max_distance_nm:g} nm from the mesh, the nearest "
            f"{np.nanmin(distance):.0f} nm: is the table another neuron's, or in voxels rather than nm? Then fill "
            "synapse_voxel_x_nm, synapse_voxel_y_nm and synapse_voxel_z_nm in the sample sheet"
        )
    autapse = (synapses["pre_pt_root_id"] == synapses["post_pt_root_id"]).fillna(False).to_numpy(bool)
    reason = np.full(len(points), None, object)
    reason[far] = [f"{d:.0f} nm from the surface, farther than {max_distance_nm:g}" for d in distance[far]]
    reason[autapse] = "autapse: the presynaptic neuron is the neuron itself"
    reason[~placed] = "has no position"
    return vertex, distance, reason


def unlabelled(synapses: pd.DataFrame, reason: str | None) -> pd.DataFrame:
    """A row for each synapse with its position and partners, no label, and one reason for all."""
    columns = {
        "id": synapses["id"],
        **{f"{axis}_nm": synapses[f"ctr_pt_position_{axis}"] for axis in "zyx"},
        "size": synapses.get("size", np.nan),
        "pre_pt_root_id": synapses["pre_pt_root_id"],
        "post_pt_root_id": synapses["post_pt_root_id"],
        "reason": reason,
        **{column: synapses[column] for column in ENDS if column in synapses},
        "row": synapses.index,
    }
    return with_columns(pd.DataFrame(columns, index=synapses.index), COLUMNS)


def with_columns(frame: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The frame with these columns alone, in this order, of these types; null where it has none of a name.

    A `number` is whole where all of its column are (`spinome.io.tables.numbers`).
    """
    none = pd.Series([None] * len(frame), frame.index, object)
    given = {name: frame.get(name, none) for name in columns}
    return pd.DataFrame(
        {
            name: numbers(given[name]) if kind == "number" else given[name].astype(kind)
            for name, kind in columns.items()
        },
        index=frame.index,
    )
