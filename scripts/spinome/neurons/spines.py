"""A mesh with its labels: of each vertex, and its spines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.mesh.surface import Mesh, mesh_edges, vertex_areas
from spinome.mesh.welding import weld
from spinome.neurons.instances import RISE_NM, SPINE, shaft_distance, spine_instances
from spinome.neurons.islands import without_islands
from spinome.neurons.morphometry import measure_spines


@dataclass(frozen=True)
class Labelled:
    """Of each vertex of a mesh: `probability` (V, 3) of the classes, and `spine` (V,), -1 where it is on none."""

    probability: np.ndarray
    spine: np.ndarray

    @property
    def label(self) -> np.ndarray:
        """Code of the most probable class (V,)."""
        return self.probability.argmax(axis=1).astype(np.uint8)


def label_mesh(
    mesh: Mesh, probability: np.ndarray, min_area_um2: float = 0.2, rise_nm: float = RISE_NM
) -> tuple[Labelled, pd.DataFrame]:
    """Find and measure the spines of a mesh whose vertices have class probabilities (V, 3).

    Vertices at the same place are one here, so that a spine does not end at the seam of two meshing chunks.
    """
    welded, origin = weld(mesh)
    first = np.zeros(len(welded.vertices), np.int64)
    first[origin[::-1]] = np.arange(len(origin))[::-1]
    area = vertex_areas(welded.vertices, welded.faces)
    probability_welded = without_islands(probability[first], mesh_edges(welded.faces), area)
    spine, table = find_spines(
        welded, probability_welded.argmax(axis=1) == SPINE, probability_welded[:, SPINE], min_area_um2, rise_nm
    )
    return Labelled(probability_welded[origin], spine[origin]), table


def find_spines(
    welded: Mesh, on_spine: np.ndarray, probability: np.ndarray, min_area_um2: float = 0.2, rise_nm: float = RISE_NM
) -> tuple[np.ndarray, pd.DataFrame]:
    """The spine (V,) of each vertex of a welded mesh, and the spines measured.

    Parameters
    ----------
    on_spine : (V,) bool
    probability : (V,) of being spine
    min_area_um2, rise_nm : see `spine_instances`
    """
    area = vertex_areas(welded.vertices, welded.faces)
    edges = mesh_edges(welded.faces)
    distance = shaft_distance(welded.vertices, edges, on_spine, area, min_area_um2)
    spine = spine_instances(edges, on_spine, distance, area, min_area_um2, rise_nm)
    return spine, measure_spines(welded.vertices, welded.faces, spine, distance, area, probability)


def write_labelled(folder: Path, labelled: Labelled, spines: pd.DataFrame) -> None:
    """Write a labelled mesh into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "vertices.npz", probability=labelled.probability.astype(np.float16), spine=labelled.spine
    )
    write_table(spines, folder / "spines.parquet")


def read_labelled(folder: str | Path) -> Labelled:
    """Read the labels of the vertices that `write_labelled` wrote."""
    with np.load(Path(folder) / "vertices.npz") as data:
        return Labelled(data["probability"].astype(np.float32), data["spine"])


def read_spines(folder: str | Path) -> pd.DataFrame:
    """Read the table of spines that `write_labelled` wrote."""
    return read_table(Path(folder) / "spines.parquet")
