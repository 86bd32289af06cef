"""Compare the joint table with the spines of simulated specimens."""

from collections import Counter

import pandas as pd

from spinome.census.evaluate import (
    SEEN_COLUMNS,
    TOLERANCES_UM,
    evaluate,
    in_session,
    in_volume,
    on_mesh,
    reported_by,
    seen,
    went_through,
)
from spinome.census.matches import view
from spinome.io.datasets import read_rows
from spinome.io.meshes import read_mesh
from spinome.io.stacks import open_stack
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
samples, truths = step.by_name(inputs, "samples"), step.by_name(inputs, "truth")
sessions, neurons = (read_table(inputs[name]) if inputs[name] else None for name in ("sessions", "neurons"))
gaps = {volume: read_table(table) for volume, table in step.by_name(inputs, "gaps").items()}
spines = read_rows(inputs.spines, "specimen", sorted({said["sample"] for said in params.each.values()}))
spines["view"] = view(spines)


def visible(name, said):
    """The true spines that a view of a sample can show."""
    truth, source = read_table(truths[name]), f"{samples[name]}::{said['dataset']}"
    if said["view"] == "twophoton":
        return in_session(truth, said["timepoint"], said["voxel_um"] or open_stack(source).voxel_um)
    if said["view"] == "neurons":
        return on_mesh(truth, read_mesh(source).vertex_data["spine_id"])
    volume = open_volume(source, said["voxel_nm"])
    return in_volume(truth, volume.shape, require_voxel_size(volume))


tables, reported, unknown = [], Counter(), Counter()
for name, said in params.each.items():
    truth, ours = visible(name, said), reported_by(said, spines)
    clear = went_through(said, truth, sessions, neurons, gaps)
    found = seen(ours, truth[clear].reset_index(drop=True), TOLERANCES_UM[said["view"]])
    tables.append(found.assign(view=said["view"], specimen=said["specimen"]))
    reported[said["view"]] += len(ours)
    unknown[said["view"]] += int((~clear).sum())
table = pd.concat(tables, ignore_index=True)[SEEN_COLUMNS]
write_table(table, output.seen)
write_table(evaluate(table, reported, +unknown), output.evaluation)
