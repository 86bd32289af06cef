"""The census of a made table of synapses as long as the published one, and how its cost grows with its rows.

Of each cell and each synapse there are a label, a size, a partner and, on most, a spine, drawn by lot; a fifth of the
partners are cells of known class. Part by part the tables are made, and part by part they are counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from runner import Row, measure
from spinome.census.counts import count_parts
from spinome.census.spines import from_neurons, join, read_schema, write_spines
from spinome.census.tables import census_by_class
from spinome.io.datasets import write_dataset

REPOSITORY = Path(__file__).parents[1]
CELLS, ROWS, SHARDS = 75_241, 208_000_000, 200
# broad classes of so many classes each
CLASSES = {"excitatory": 12, "inhibitory": 8}
KNOWN_PARTNERS, ON_SPINE, SPINES_OF_A_SYNAPSE = 0.2, 0.7, 3.5
# synapses of a cell in a shard that is not of full size
FEW = 10
FIRST_ID = 864_691_134_900_000_000


def classes_of_cells() -> dict[int, list[str]]:
    """The class and the broad class of each cell by its root id."""
    names = [[f"{broad} {number}", broad] for broad, count in CLASSES.items() for number in range(count)]
    return {FIRST_ID + cell: names[cell % len(names)] for cell in range(CELLS)}


def synapses_of(shard: int, a_cell: int) -> pd.DataFrame:
    """Rows of the cells of a shard, so many of each."""
    rng = np.random.default_rng(shard)
    cells = np.repeat(np.arange(shard, CELLS, SHARDS), a_cell)
    count, spines = len(cells), max(1, int(a_cell * SPINES_OF_A_SYNAPSE))
    tag = np.array(["spine", "shaft", "soma"], object)[np.searchsorted([ON_SPINE, 0.95], rng.random(count))]
    partner = np.where(
        rng.random(count) < KNOWN_PARTNERS,
        FIRST_ID + rng.integers(CELLS, size=count),
        FIRST_ID + CELLS + rng.integers(10**9, size=count),
    )
    spine = pd.array(rng.integers(spines, size=count), "Int64")
    spine[tag != "spine"] = pd.NA
    names = pd.array((FIRST_ID + cells).astype(str), "string")
    return pd.DataFrame(
        {
            "source": pd.array(["sheet"] * count, "string"),
            "neuron": names,
            "id": np.arange(count),
            "tag": pd.array(tag, "string"),
            "spine": spine,
            "size": pd.array(rng.integers(50, 20_000, size=count), "Int64"),
            "pre_pt_root_id": pd.array(partner, "Int64"),
            "post_pt_root_id": pd.array(FIRST_ID + cells, "Int64"),
        }
    )


def spines_of(synapses: pd.DataFrame) -> pd.DataFrame:
    """The rows of the joint table that these synapses are on."""
    on = synapses[synapses["spine"].notna()].groupby(["neuron", "spine"])["pre_pt_root_id"]
    partners = on.nunique().rename("partners").reset_index()
    rng = np.random.default_rng(len(partners))
    sizes = {
        name: rng.lognormal(mean, 0.5, len(partners))
        for name, mean in (("volume_um3", -3.0), ("head_diameter_nm", 6.0), ("neck_length_nm", 6.0))
    }
    several = partners["partners"] > 1
    places = dict.fromkeys(("z_nm", "y_nm", "x_nm"), 0.0)
    table = partners.assign(source="sheet", synapses=partners["partners"], multi_input=several, **sizes, **places)
    schema = read_schema(REPOSITORY / "workflow" / "schemas" / "spines.schema.yaml")
    return join([from_neurons(table, synapses)], schema)


def make(folder: str, whole: int, shards: range) -> None:
    """Write both data sets: so many shards with as many synapses as the published table has, the others with few."""
    parts = ((f"{shard}", synapses_of(shard, ROWS // CELLS if shard < whole else FEW)) for shard in shards)
    write_dataset(parts, f"{folder}/synapses.parquet")
    joined = (
        (f"neurons-{shard}", spines_of(pd.read_parquet(f"{folder}/synapses.parquet/{shard}.parquet")))
        for shard in shards
    )
    write_dataset(joined, f"{folder}/spines.parquet", write_spines)


def census(folder: str) -> tuple[float, float, int]:
    """CPU-seconds of counting and of the table by class, and the rows of the counts."""
    known = classes_of_cells()
    # as the tables of a run have them: of each neuron one row
    neurons = pd.DataFrame({"neuron": list(map(str, known)), "source": "sheet", "with_synapses": True, "known": True})
    neurons = neurons.assign(spines=1, synapses=1)
    started = time.process_time()
    counts = count_parts(f"{folder}/synapses.parquet", f"{folder}/spines.parquet", neurons, {}, known)
    counted = time.process_time()
    table = census_by_class(counts)
    assert 0 < table["cells"].max() <= CELLS
    return counted - started, time.process_time() - counted, len(counts)


def census_rows(few: int = 1, more: int = 4) -> list[Row]:
    """What a census of the published size takes, from two of as many cells in which few shards have all their rows."""
    found = {}
    for whole in (few, more):
        with tempfile.TemporaryDirectory() as folder:
            make(folder, whole, range(SHARDS))
            found[whole] = measure(census, folder)
    seconds = {whole: one.result[0] for whole, one in found.items()}
    a_shard = (seconds[more] - seconds[few]) / (more - few)
    whole = seconds[more] + a_shard * (SHARDS - more) + found[more].result[1]
    what = f"census of {ROWS:,} synapses of {CELLS:,} cells"
    made = f"{more} of {SHARDS} shards of full size"
    return [
        Row(f"{what}: CPU, linear in shards from {made}", whole / 60, "CPU-min", 10, True),
        Row(f"{what}: of that a shard of {ROWS / SHARDS / 1e6:.2f} million rows", a_shard, "CPU-s"),
        Row(f"{what}: highest memory, of {made}", found[more].peak_mb, "MB", 4000, True),
        Row(f"{what}: rows of the counts by cell, of {made}", found[more].result[2], "rows"),
    ]
