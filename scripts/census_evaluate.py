"""Compare the joint table with the spines of simulated specimens."""

import pandas as pd

from spinome.census.evaluate import SEEN_COLUMNS, TOLERANCES_UM, evaluate, in_session, in_volume, known, on_mesh, seen
from spinome.census.matches import view
from spinome.io.meshes import read_mesh
from spinome.io.stacks import open_stack
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
samples, truths = step.by_name(inputs, "samples"), step.by_name(inputs, "truth")


def visible(name, said):
    """The true spines that a view of a sample can show."""
    truth, source = read_table(truths[name]), f"{samples[name]}::{said['dataset']}"
    if said["view"] == "twophoton":
        return in_session(truth, said["timepoint"], said["voxel_um"] or open_stack(source).voxel_um)
    if said["view"] == "neurons":
        return on_mesh(truth, read_mesh(source).vertex_data["spine_id"])
    volume = open_volume(source, said["voxel_nm"])
    return in_volume(truth, volume.shape, require_voxel_size(volume))


def known_to(said, truth):
    """Whether each true spine lies in what went through: a session, a mesh, a volume without its gaps."""
    sample = said["sample"]
    if said["view"] == "twophoton":
        own = sessions[(sessions["specimen"] == sample) & (sessions["timepoint"] == said["timepoint"])]
        return pd.Series(bool(own["usable"].all()), truth.index)
    if said["view"] == "neurons":
        own = neurons[(neurons["source"] == "sheet") & (neurons["neuron"] == sample)]
        return pd.Series(bool(own["spines"].notna().all()), truth.index)
    return known(truth, read_table(gaps[sample])) if sample in gaps else pd.Series(True, truth.index)


sessions, neurons = (read_table(inputs[name]) if inputs[name] else None for name in ("sessions", "neurons"))
gaps, spines = step.by_name(inputs, "gaps"), read_table(inputs.spines)
spines["view"] = view(spines)
tables, reported, unknown = [], {}, {}
for name, said in params.each.items():
    ours = spines[(spines["view"] == said["view"]) & (spines["specimen"] == said["sample"])]
    if said["view"] == "twophoton":
        ours = ours[ours["timepoint"] == said["timepoint"]]
    truth = visible(name, said)
    clear = known_to(said, truth)
    if not clear.all():
        unknown[said["view"]] = unknown.get(said["view"], 0) + int((~clear).sum())
    found = seen(ours, truth[clear].reset_index(drop=True), TOLERANCES_UM[said["view"]])
    tables.append(found.assign(view=said["view"], specimen=said["specimen"]))
    reported[said["view"]] = reported.get(said["view"], 0) + len(ours)
table = pd.concat(tables, ignore_index=True)[SEEN_COLUMNS]
write_table(table, output.seen)
write_table(evaluate(table, reported, unknown), output.evaluation)
