"""Find the candidate shafts of one shard of a volume's orphans; orphans in one cube are one unit."""

from spinome.io.tables import read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, open_probability, require_same_grid, require_voxel_size
from spinome.linking.candidates import group_candidates, group_names, with_types
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
segmented, membranes = step.source(snakemake, "segmentation"), step.source(snakemake, "membrane")
segments = open_labels(segmented, params.voxel_nm)
voxel_nm = require_voxel_size(segments)
membrane = open_probability(membranes, params.voxel_nm) if membranes else None
require_same_grid([segments, *([membrane] if membrane else [])])
stride = working_stride(voxel_nm, params.working_nm)
typing = read_table(inputs.typing)
shafts = typing.loc[typing["kind"] == "shaft", "segment"].to_numpy()
orphans = typing[typing["kind"] == "orphan"]
groups = dict(list(orphans.groupby(group_names(orphans, params.group_nm))))
synapses = read_table(inputs.synapses[0]) if inputs.synapses else None


def compute(unit, path):
    orphans = groups[unit.name]
    found = group_candidates(segments, membrane, orphans, shafts, synapses, stride, voxel_nm, params.radius_nm)
    write_table(with_types(found, typing), path)


state = source_stamp(segmented, membranes, inputs.typing, *(inputs.synapses or [None]))
step.run_units(snakemake, step.own_units(snakemake, groups, state), compute, suffix=".parquet")
