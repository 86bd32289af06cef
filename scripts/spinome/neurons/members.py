"""The neurons of a shard: from the sample sheet, or from the folder of meshes made from a volume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.io.cave import read_synapses
from spinome.io.meshes import mesh_files
from spinome.io.tables import read_table
from spinome.provenance import file_hash
from spinome.samples import Neuron, read_sheet
from spinome.shards import Unit

SHEET = "sheet"
VOLUME = "volume-"
# beside the meshes of a volume: where its synapses could not be looked for
SYNAPSE_GAPS = "synapse_gaps.parquet"


@dataclass(frozen=True)
class Member:
    """A neuron as a unit of work; `source` is `sheet` or the volume that its mesh was made from.

    Its synapses are those of `root_id` in the table, where that is known.
    """

    unit: str
    source: str
    neuron: str
    mesh: str
    synapses: str | None = None
    synapse_voxel_nm: tuple[float, float, float] | None = None
    root_id: int | None = None

    def read_synapses(self) -> pd.DataFrame:
        """The neuron's own rows of its table; raises as `spinome.io.cave.read_synapses`, and names the neuron."""
        try:
            return read_synapses(self.synapses, self.synapse_voxel_nm, self.root_id)
        except ValueError as error:
            raise ValueError(f"neuron {self.neuron}: {error}") from None


def members(shard: str, rows: Mapping[str, Mapping[str, Any]], folder: str | Path | None = None) -> list[Member]:
    """The members of a shard.

    Parameters
    ----------
    shard : its name; `volume-NAME` for the neurons made from a volume
    rows : of the sample sheet by neuron, with `mesh` and, where the step needs them, `synapses`, `synapse_voxel_nm` and
        `root_id`
    folder : with the meshes of a volume and their sheet `neurons.tsv`
    """
    if not shard.startswith(VOLUME):
        return [Member(name, SHEET, name, **values) for name, values in sorted(rows.items())]
    sheet = Path(folder) / "neurons.tsv"
    if pd.read_csv(sheet, sep="\t", dtype=str).empty:
        return []
    return [
        Member(
            f"{shard}/{row.neuron}", shard.removeprefix(VOLUME), row.neuron, row.mesh, row.synapses, None, row.root_id
        )
        for row in read_sheet(sheet, Neuron)
    ]


def first_units(neurons: Iterable[Member]) -> list[Unit]:
    """Units of the first step, whose key changes with the content of the mesh."""
    return [Unit(member.unit, mesh_hash(member.mesh)) for member in neurons]


def mesh_hash(mesh: str) -> str:
    """Hash of the files of one mesh alone, not of all meshes of its folder."""
    return "|".join(file_hash(file) for file in mesh_files(mesh))


def next_units(*done: str | Path) -> tuple[list[Unit], list[dict[str, str]]]:
    """Units that all of the steps before have finished, and for each step the file by unit."""
    tables = [read_table(table, ["unit", "key", "file"]).set_index("unit") for table in done]
    names = sorted(set.intersection(*(set(table.index) for table in tables)))
    units = [Unit(name, "|".join(table["key"][name] for table in tables)) for name in names]
    return units, [table["file"].to_dict() for table in tables]


def load(file: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a step's file."""
    with np.load(file, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
