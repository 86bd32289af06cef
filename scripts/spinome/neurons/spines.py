"""A mesh with its labels: of each vertex, and its spines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from spinome.io.tables import read_table, write_table
from spinome.mesh.surface import Mesh, mesh_edges, vertex_areas
from spinome.mesh.welding import weld
from spinome.neurons.instances import RISE_NM, SPINE, decided, instances_and_pairs, shaft_distance
from spinome.neurons.islands import without_islands
from spinome.neurons.morphometry import measure_spines
from spinome.neurons.synapses import with_columns

PAIR_PLACES = ["z_nm", "y_nm", "x_nm", "next_z_nm", "next_y_nm", "next_x_nm"]
# two peaks of which it is doubtful whether they are one spine or two, how far the lower one rises above the place where
# they meet, and the spines that they are on, the same or two
PAIR_COLUMNS = {
    "source": "string",
    "neuron": "string",
    **dict.fromkeys(PAIR_PLACES, "float64"),
    "rise_nm": "float64",
    "spine": "Int64",
    "next_spine": "Int64",
}
# a place that a person named is on the spine that is this near
SAME_PLACE_NM = 300.0


@dataclass(frozen=True)
class Labelled:
    """Of each vertex of a mesh: `probability` (V, 3) of the classes, and `spine` (V,), -1 where it is on none.

    `pairs` are those of which it is doubtful whether they are one spine or two (`PAIR_COLUMNS`).
    """

    probability: np.ndarray
    spine: np.ndarray
    pairs: pd.DataFrame = field(default_factory=lambda: with_columns(pd.DataFrame(), PAIR_COLUMNS))

    @property
    def label(self) -> np.ndarray:
        """Code of the most probable class (V,)."""
        return self.probability.argmax(axis=1).astype(np.uint8)


def label_mesh(
    mesh: Mesh,
    probability: np.ndarray,
    min_area_um2: float = 0.2,
    rise_nm: float = RISE_NM,
    decisions: pd.DataFrame | None = None,
) -> tuple[Labelled, pd.DataFrame]:
    """Find and measure the spines of a mesh whose vertices have class probabilities (V, 3).

    Vertices at the same place are one here, so that a spine does not end at the seam of two meshing chunks.

    Parameters
    ----------
    decisions : what a person says of pairs of places: `PAIR_PLACES` and `decision`, "one" spine or "two"
    """
    welded, origin = weld(mesh)
    first = np.zeros(len(welded.vertices), np.int64)
    first[origin[::-1]] = np.arange(len(origin))[::-1]
    area = vertex_areas(welded.vertices, welded.faces)
    probability_welded = without_islands(probability[first], mesh_edges(welded.faces), area)
    on_spine, sure = probability_welded.argmax(axis=1) == SPINE, probability_welded[:, SPINE]
    spine, table, pairs = spines_and_pairs(welded, on_spine, sure, min_area_um2, rise_nm, decisions)
    return Labelled(probability_welded[origin], spine[origin], pairs), table


def find_spines(
    welded: Mesh, on_spine: np.ndarray, probability: np.ndarray, min_area_um2: float = 0.2, rise_nm: float = RISE_NM
) -> tuple[np.ndarray, pd.DataFrame]:
    """The spine (V,) of each vertex of a welded mesh, and the spines measured; see `spines_and_pairs`."""
    return spines_and_pairs(welded, on_spine, probability, min_area_um2, rise_nm, None)[:2]


def spines_and_pairs(
    welded: Mesh,
    on_spine: np.ndarray,
    probability: np.ndarray,
    min_area_um2: float,
    rise_nm: float,
    decisions: pd.DataFrame | None,
) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """The spine (V,) of each vertex of a welded mesh, the spines measured, and doubtful pairs (`PAIR_COLUMNS`).

    Parameters
    ----------
    on_spine : (V,) bool
    probability : (V,) of being spine
    min_area_um2, rise_nm : see `spine_instances`
    decisions : see `label_mesh`
    """
    area = vertex_areas(welded.vertices, welded.faces)
    edges = mesh_edges(welded.faces)
    distance = shaft_distance(welded.vertices, edges, on_spine, area, min_area_um2)
    spine, peaks, rise = instances_and_pairs(edges, on_spine, distance, area, min_area_um2, rise_nm)
    if decisions is not None and len(decisions):
        places = [decisions[own].to_numpy(float)[:, ::-1] for own in (PAIR_PLACES[:3], PAIR_PLACES[3:])]
        chosen, near = _on_spines(welded.vertices, spine, places)
        one = (decisions["decision"] == "one").to_numpy()[near]
        spine = decided(spine, edges, welded.vertices, chosen, one)
    ends = welded.vertices[peaks][:, :, ::-1]
    # from low to high along the axis on which they are farthest apart, so that each run names them in one order
    axis = np.abs(ends[:, 1] - ends[:, 0]).argmax(axis=1)
    each = np.arange(len(peaks))
    turned = ends[each, 0, axis] > ends[each, 1, axis]
    peaks[turned], ends[turned] = peaks[turned][:, ::-1], ends[turned][:, ::-1]
    pairs = pd.DataFrame(ends.reshape(-1, 6), columns=PAIR_PLACES).assign(rise_nm=rise)
    pairs = pairs.assign(spine=spine[peaks[:, 0]], next_spine=spine[peaks[:, 1]])
    table = measure_spines(welded.vertices, welded.faces, spine, distance, area, probability)
    return spine, table, with_columns(pairs, PAIR_COLUMNS)


def _on_spines(vertices: np.ndarray, spine: np.ndarray, places: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (K, 2) at pairs of places (P, 3) x y z, and which pairs (K,) these are: both places near a spine."""
    members = np.flatnonzero(spine >= 0)
    if not len(members):
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    tree = cKDTree(vertices[members])
    (first, one), (second, other) = (tree.query(place) for place in places)
    near = np.flatnonzero(np.maximum(first, second) <= SAME_PLACE_NM)
    return np.stack([members[one[near]], members[other[near]]], axis=1), near


def write_labelled(folder: Path, labelled: Labelled, spines: pd.DataFrame) -> None:
    """Write a labelled mesh into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "vertices.npz", probability=labelled.probability.astype(np.float16), spine=labelled.spine
    )
    write_table(spines, folder / "spines.parquet")
    write_table(labelled.pairs, folder / "pairs.parquet")


def read_labelled(folder: str | Path) -> Labelled:
    """Read the labels of the vertices that `write_labelled` wrote."""
    with np.load(Path(folder) / "vertices.npz") as data:
        return Labelled(data["probability"].astype(np.float32), data["spine"])


def read_spines(folder: str | Path) -> pd.DataFrame:
    """Read the table of spines that `write_labelled` wrote."""
    return read_table(Path(folder) / "spines.parquet")


def read_pairs(folder: str | Path) -> pd.DataFrame:
    """Read the table of doubtful pairs that `write_labelled` wrote."""
    return read_table(Path(folder) / "pairs.parquet")


def read_decisions(path: str | Path, neurons: Collection[str]) -> pd.DataFrame:
    """The table of decisions on pairs of places: `neuron`, `PAIR_PLACES` and `decision`, "one" spine or "two".

    Raises
    ------
    ValueError: as `read_table`, and if a row lacks a place, names none of the neurons or decides neither; the message
        names the file and the remedy.
    """
    columns = ["neuron", *PAIR_PLACES, "decision"]
    table = read_table(path, columns, text=["neuron"])[columns]
    places = table[PAIR_PLACES].apply(pd.to_numeric, errors="coerce")
    if (lacking := ~np.isfinite(places.to_numpy(float)).all(axis=1)).any():
        row = int(lacking.argmax()) + 1
        raise ValueError(f"{path}: row {row} lacks a place; fill {' '.join(PAIR_PLACES)} with nm, or take it out")
    if unknown := sorted(set(table["neuron"]) - set(neurons)):
        raise ValueError(f"{path}: names the neuron {unknown[0]}, which is none of the sample sheet; correct the row")
    if wrong := sorted(set(table["decision"].astype(str)) - {"one", "two"}):
        raise ValueError(f"{path}: decides {wrong[0]!r}; a pair of places is `one` spine or `two`")
    return table.assign(**{name: places[name].astype(float) for name in PAIR_PLACES})
