"""The neurons that are worked on: from the sample sheet, or from the folder of meshes made from a volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.hashing import file_hash
from spinome.io.cave import read_synapses
from spinome.io.meshes import mesh_files
from spinome.io.sources import split_source
from spinome.names import VOLUME

SHEET = "sheet"
# beside the meshes of a volume: where its synapses could not be looked for
SYNAPSE_GAPS = "synapse_gaps.parquet"


@dataclass(frozen=True)
class NeuronUnit:
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
        if self.synapses is None:
            raise ValueError(f"neuron {self.neuron}: has no table of synapses")
        try:
            return read_synapses(self.synapses, self.synapse_voxel_nm, self.root_id)
        except ValueError as error:
            raise ValueError(f"neuron {self.neuron}: {error}") from None


def sheet_neurons(
    rows: Mapping[str, Mapping[str, Any]], fetched: Mapping[str, str | Path] | None = None
) -> dict[str, NeuronUnit]:
    """Neurons of the sample sheet by unit.

    Parameters
    ----------
    rows : by neuron, with `mesh` and, where the step needs them, `synapses`, `synapse_voxel_nm` and
        `root_id`
    fetched : files of the meshes that were fetched from an address, by neuron
    """
    neurons = {name: NeuronUnit(name, SHEET, name, **values) for name, values in sorted(rows.items())}
    there = {name: replace(neurons[name], mesh=str(file)) for name, file in (fetched or {}).items() if name in neurons}
    return neurons | there


def volume_neurons(volume: str, folder: str | Path) -> dict[str, NeuronUnit]:
    """Neurons meshed from a volume by unit: the folder holds the meshes and their sheet `neurons.tsv`."""
    folder = Path(folder)
    rows = pd.read_csv(folder / "neurons.tsv", sep="\t", dtype=str, keep_default_na=False).to_dict("records")
    found = {}
    for row in rows:
        synapses = str(folder / row["synapses"]) if row.get("synapses") else None
        unit = f"{VOLUME}{volume}/{row['neuron']}"
        # a segment's number is its root id in the table beside its mesh
        found[unit] = NeuronUnit(
            unit, volume, row["neuron"], str(folder / row["mesh"]), synapses, None, int(row["neuron"])
        )
    return found


def shard_neurons(
    shard: str,
    rows: Mapping[str, Mapping[str, Any]],
    folder: str | Path | None = None,
    fetched: Mapping[str, str | Path] | None = None,
) -> dict[str, NeuronUnit]:
    """Neurons of a shard by unit; shard `volume-NAME` holds those made from a volume, in `folder`."""
    if shard.startswith(VOLUME):
        return volume_neurons(shard.removeprefix(VOLUME), folder)
    return sheet_neurons(rows, fetched)


def mesh_hash(mesh: str, hash_of: Callable[[Path], str] = file_hash) -> str:
    """Hash of the files of one mesh alone, not of all meshes of its folder, and of its name in a file of several."""
    return "|".join([*map(hash_of, mesh_files(mesh)), split_source(mesh)[1]])


def load(file: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a step's file."""
    with np.load(file, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
