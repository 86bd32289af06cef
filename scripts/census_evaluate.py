"""Compare the joint table with the spines of simulated specimens."""

from pathlib import Path

import pandas as pd

from spinome.census.evaluate import SEEN_COLUMNS, TOLERANCES_UM, evaluate, in_session, in_volume, known, on_mesh, seen
from spinome.census.matches import view
from spinome.io.meshes import read_mesh
from spinome.io.stacks import open_stack
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.logs import log_to

log_to(snakemake.log)


def visible(name, row):
    """The true spines that a view of a sample can show."""
    truth = read_table(row["truth"])
    if name == "twophoton":
        return in_session(truth, row["timepoint"], row["voxel_um"] or open_stack(row["path"]).voxel_um)
    if name == "neurons":
        return on_mesh(truth, read_mesh(row["path"]).vertex_data["spine_id"])
    volume = open_volume(row["path"], row["voxel_nm"])
    return in_volume(truth, volume.shape, require_voxel_size(volume))


def known_to(name, row, truth):
    """Whether each true spine lies in what went through: a session, a mesh, a volume without its gaps."""
    if name == "twophoton":
        own = sessions[(sessions["specimen"] == row["sample"]) & (sessions["timepoint"] == row["timepoint"])]
        return pd.Series(bool(own["usable"].all()), truth.index)
    if name == "neurons":
        own = neurons[(neurons["source"] == "sheet") & (neurons["neuron"] == row["sample"])]
        return pd.Series(bool(own["spines"].notna().all()), truth.index)
    gaps = gap_files.get(row["sample"])
    return known(truth, read_table(gaps)) if gaps else pd.Series(True, truth.index)


given = snakemake.input
sessions, neurons = (read_table(given[name]) if given[name] else None for name in ("sessions", "neurons"))
gap_files = {Path(file).stem: file for file in given.gaps}
spines = read_table(snakemake.input.spines)
spines["view"] = view(spines)
tables, reported, unknown = [], {}, {}
for row in snakemake.params.views:
    ours = spines[(spines["view"] == row["view"]) & (spines["specimen"] == row["sample"])]
    if row["view"] == "twophoton":
        ours = ours[ours["timepoint"] == row["timepoint"]]
    truth = visible(row["view"], row)
    clear = known_to(row["view"], row, truth)
    if not clear.all():
        unknown[row["view"]] = unknown.get(row["view"], 0) + int((~clear).sum())
    found = seen(ours, truth[clear].reset_index(drop=True), TOLERANCES_UM[row["view"]])
    tables.append(found.assign(view=row["view"], specimen=row["specimen"]))
    reported[row["view"]] = reported.get(row["view"], 0) + len(ours)
table = pd.concat(tables, ignore_index=True)[SEEN_COLUMNS]
write_table(table, snakemake.output.seen)
write_table(evaluate(table, reported, unknown), snakemake.output.evaluation)
