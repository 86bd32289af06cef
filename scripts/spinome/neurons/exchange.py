"""A labelled neuron for other programs: synapses as a table and as a Neuroglancer layer, the mesh in colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from spinome.colours import COLOURS
from spinome.io.cave import ENDS, PARTNERS, POINT, POSITION
from spinome.io.meshes import write_coloured_mesh
from spinome.io.neuroglancer import write_points
from spinome.io.tables import write_table
from spinome.mesh.surface import Mesh
from spinome.neurons.classes import CLASSES

# the columns of the published tables (Pedigo et al. 2026), positions in nm
PUBLISHED = ["id", "size", *PARTNERS, "tag", "value", *POSITION]
PALETTE = np.array([np.round(255 * np.array(to_rgb(COLOURS[name]))) for name in CLASSES], np.uint8)


def write_coloured(folder: Path, mesh: Mesh, label: np.ndarray) -> None:
    """Write `mesh.ply`, each of its V vertices in the colour of its class.

    Parameters
    ----------
    folder : folder of the neuron
    label : (V,) code of each vertex
    """
    write_coloured_mesh(folder / "mesh.ply", mesh, PALETTE[label])


def write_synapses(folder: Path, synapses: pd.DataFrame) -> None:
    """Write `synapses.csv` and the layer `synapses`.

    Parameters
    ----------
    folder : folder of the neuron
    synapses : what `label_synapses` returns; the table has a row for each, the layer a point for each that has a
        label, and one point for rows that are there twice

    Raises
    ------
    ValueError: if two labelled synapses have the same id in different places.
    """
    write_table(published(synapses), folder / "synapses.csv")
    labelled = synapses[synapses["tag"].notna()].drop_duplicates(["id", "x_nm", "y_nm", "z_nm"])
    write_points(
        folder / "synapses",
        labelled["id"].to_numpy(np.int64),
        labelled[["x_nm", "y_nm", "z_nm"]].to_numpy(float),
        labelled["tag"].map(CLASSES.index).to_numpy(int),
        labelled["value"].to_numpy(float),
        CLASSES,
    )


def published(synapses: pd.DataFrame) -> pd.DataFrame:
    """Labelled synapses in the published columns, with the positions of both ends where they are known.

    `tag` and `value` are empty where a synapse has no label.
    """
    known = [column for column in ENDS if column in synapses and synapses[column].notna().any()]
    return synapses.rename(columns={f"{axis}_nm": f"{POINT}_{axis}" for axis in "xyz"})[[*PUBLISHED, *known]]
