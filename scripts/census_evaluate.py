"""Compare the joint table with the spines of simulated specimens."""

import pandas as pd

from spinome.census.evaluate import SEEN_COLUMNS, TOLERANCES_UM, evaluate, in_session, in_volume, on_mesh, seen
from spinome.census.matches import view
from spinome.io.meshes import read_mesh
from spinome.io.stacks import open_stack
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.workflow import step

step.begin(snakemake)


def visible(name, row):
    """The true spines that a view of a sample can show."""
    truth = read_table(row["truth"])
    if name == "twophoton":
        return in_session(truth, row["timepoint"], row["voxel_um"] or open_stack(row["path"]).voxel_um)
    if name == "neurons":
        return on_mesh(truth, read_mesh(row["path"]).vertex_data["spine_id"])
    volume = open_volume(row["path"], row["voxel_nm"])
    return in_volume(truth, volume.shape, require_voxel_size(volume))


spines = read_table(snakemake.input.spines)
spines["view"] = view(spines)
tables, reported = [], {}
for row in snakemake.params.views:
    ours = spines[(spines["view"] == row["view"]) & (spines["specimen"] == row["sample"])]
    if row["view"] == "twophoton":
        ours = ours[ours["timepoint"] == row["timepoint"]]
    found = seen(ours, visible(row["view"], row), TOLERANCES_UM[row["view"]])
    tables.append(found.assign(view=row["view"], specimen=row["specimen"]))
    reported[row["view"]] = reported.get(row["view"], 0) + len(ours)
table = pd.concat(tables, ignore_index=True)[SEEN_COLUMNS]
write_table(table, snakemake.output.seen)
write_table(evaluate(table, reported), snakemake.output.evaluation)
