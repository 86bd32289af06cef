"""Labels by hand and their synapses from the static tables of the MICrONS public release.

A table is dumped as `NAME.csv.gz` without a line of names, and `NAME_header.csv` with a line `column,type` for each of
its columns. Tables that annotate synapses name them by `target_id`; where these lie stands in the table of synapses
alone, in voxels of 4 x 4 x 40 nm.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.csv

from spinome.io.cave import OWNER, PARTNERS, POINT, POSITION
from spinome.scores.classification import confusions, weighted_f1

VOXEL_NM = (4, 4, 40)
# the published training takes a spine on a soma for a spine; orphan neurites and others teach nothing
TAGS = {"shaft": "shaft", "spine": "spine", "soma": "soma", "soma_spine": "spine"}
# meshes of the same version as the root ids in the table of synapses
MESHES = "gs://iarpa_microns/minnie/minnie65/seg_m1300"
# a neuron with fewer labels is not worth its mesh, of which one takes minutes to fetch
LEAST_LABELS = 100
# of the neurons, those with the most labels first, every so many-th is kept apart to score the forest on
KEPT_APART = 5
# bytes of text in memory at a time, of a table of 337 million rows
BLOCK = 1 << 24


def read_columns(header: str | Path) -> list[str]:
    """The names of the columns of a dump, from the table that lists them.

    Raises
    ------
    ValueError: if a line is not `column,type`; the message names the file.
    """
    rows = [line.split(",") for line in Path(header).read_text(encoding="utf-8").splitlines() if line.strip()]
    names = [row[0].strip().strip('"') for row in rows]
    if not rows or min(map(len, rows)) < 2 or len(set(names)) != len(names):
        raise ValueError(f"{header}: must have a line `column,type` for each column; fetch it again")
    return names


def read_labels(dump: str | Path, header: str | Path, ids: Collection[int] | None = None) -> pd.DataFrame:
    """The labels of synapses in a dump: table `id tag`, a row for each synapse.

    Rows that are not valid, tags that are no compartment and synapses with two different tags are left out.

    Parameters
    ----------
    ids : the synapses that are asked for, None for all

    Raises
    ------
    ValueError: as `blocks`, and if no row is left.
    """
    columns = read_columns(header)
    wanted = ["target_id", "tag", *(["valid"] if "valid" in columns else [])]
    kinds = {"target_id": pyarrow.int64(), "tag": pyarrow.string(), "valid": pyarrow.string()}
    table = _of_ids(blocks(dump, columns, wanted, kinds), "target_id", ids)
    if "valid" in table:
        table = table[table["valid"].str.lower().isin(["t", "true"])]
    table = table.assign(tag=table["tag"].map(TAGS)).dropna(subset="tag")[["target_id", "tag"]].drop_duplicates()
    table = table.drop_duplicates("target_id", keep=False).rename(columns={"target_id": "id"})
    if table.empty:
        raise ValueError(f"{dump}: labels no synapse as {', '.join(TAGS)}; is it a table of compartments?")
    return table.sort_values("id").reset_index(drop=True)


def read_synapses_of(dump: str | Path, header: str | Path, ids: Collection[int]) -> pd.DataFrame:
    """The synapses of these ids in a dump: `id`, `size`, both neurons, and `POSITION` in nm.

    Raises
    ------
    ValueError: as `blocks`, and if none is there.
    """
    columns = read_columns(header)
    split = set(POSITION) <= set(columns)
    kinds = dict.fromkeys(["id", *PARTNERS], pyarrow.int64()) | ({} if split else {POINT: pyarrow.string()})
    wanted = ["id", "size", *PARTNERS, *(POSITION if split else [POINT])]
    table = _of_ids(blocks(dump, columns, wanted, kinds), "id", ids)
    if table.empty:
        raise ValueError(f"{dump}: has none of the {len(ids)} labelled synapses; is it of another data set?")
    if not split:
        table[POSITION] = [point_of(text) for text in table.pop(POINT)]
    table[POSITION] = table[POSITION].to_numpy(float) * VOXEL_NM
    return table.sort_values("id").reset_index(drop=True)


def blocks(
    dump: str | Path, columns: list[str], wanted: list[str], kinds: dict[str, pyarrow.DataType]
) -> Iterator[pyarrow.Table]:
    """The wanted columns of a dump, block by block, so that no table has to fit in memory.

    Raises
    ------
    ValueError: if a column is absent, or the dump is damaged; the message names the file.
    """
    if lacking := [name for name in wanted if name not in columns]:
        raise ValueError(f"{dump}: lacks the column {', '.join(lacking)}; its header lists {', '.join(columns)}")
    options = {
        "read_options": pyarrow.csv.ReadOptions(column_names=columns, block_size=BLOCK),
        "convert_options": pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=kinds),
        "parse_options": pyarrow.csv.ParseOptions(newlines_in_values=True),
    }
    try:
        with gzip.open(dump) as stream, pyarrow.csv.open_csv(stream, **options) as reader:
            for batch in reader:
                yield pyarrow.Table.from_batches([batch])
    except (pyarrow.ArrowInvalid, OSError, EOFError) as error:
        raise ValueError(f"{dump}: cannot be read by its header ({error}); fetch both again") from error


def _of_ids(parts: Iterator[pyarrow.Table], column: str, ids: Collection[int] | None) -> pd.DataFrame:
    """The rows of a table in blocks whose ids in a column are among these, all where these are None."""
    chosen = None if ids is None else pyarrow.array(sorted(ids), pyarrow.int64())
    found = [
        (part if chosen is None else part.filter(pyarrow.compute.is_in(part[column], value_set=chosen))).to_pandas()
        for part in parts
    ]
    return pd.concat(found, ignore_index=True)


def point_of(text: str) -> np.ndarray:
    """The coordinates x y z of a point of PostGIS, as the hexadecimal text of its extended binary form.

    Raises
    ------
    ValueError: if it is no such point.
    """
    try:
        values = bytes.fromhex(text)
        order = "<" if values[0] else ">"
        kind = int(np.frombuffer(values, f"{order}u4", 1, 1)[0])
        # after the kind, whose flags tell of a third coordinate and of a number of the reference system
        return np.frombuffer(values, f"{order}f8", 3, 9 if kind & 0x20000000 else 5).astype(float)
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{text!r} is no point ({error})") from None


def neuron_sheet(labels: pd.DataFrame, synapses: pd.DataFrame, synapse_file: str, label_file: str) -> pd.DataFrame:
    """A sample sheet of the neurons that have `LEAST_LABELS` or more, those with the most first.

    Raises
    ------
    ValueError: if there is none.
    """
    own = synapses.loc[synapses["id"].isin(labels["id"]) & (synapses[OWNER] > 0), OWNER]
    count = own.value_counts()
    neurons = sorted(count.index[count >= LEAST_LABELS], key=lambda neuron: (-count[neuron], neuron))
    if not neurons:
        raise ValueError(
            f"no neuron has {LEAST_LABELS} labelled input synapses or more, the most are {count.max()}; are labels and "
            "synapses of one data set?"
        )
    return pd.DataFrame(
        {
            "neuron": [f"n{neuron}" for neuron in neurons],
            "mesh": [f"{MESHES}::{neuron}" for neuron in neurons],
            "root_id": neurons,
            "synapses": synapse_file,
            "truth_labels": label_file,
        }
    )


def training(sheet: pd.DataFrame, sheet_file: str) -> dict[str, Any]:
    """The configuration that trains on the neurons of a sheet but every `KEPT_APART`-th, which scores the forest."""
    apart = np.arange(len(sheet)) % KEPT_APART == KEPT_APART - 1
    return {"samples": {"neurons": sheet_file}, "neurons": {"train": sheet.loc[~apart, "neuron"].tolist()}}


def agreement(labels: pd.DataFrame, published: pd.DataFrame) -> tuple[float, int]:
    """Weighted F1 of published predictions against labels by hand, and how many synapses have both."""
    both = labels.merge(published, on="id", suffixes=("", "_published"))
    codes = {name: code for code, name in enumerate(dict.fromkeys(TAGS.values()))}
    truth, found = (both[name].map(codes).to_numpy(int) for name in ("tag", "tag_published"))
    counts = confusions(truth, found, np.zeros(len(both), int), len(codes))
    return weighted_f1(counts.sum(axis=0)), len(both)
