"""Measure the segments in one shard of a volume's cuboids."""

from spinome.cuboids import cuboids
from spinome.io.tables import read_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels
from spinome.linking.measure import measure, save_measured
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
source = step.source(snakemake, "segmentation")
volume = Thinned.to(open_labels(source, params.voxel_nm), params.working_nm)
# what a gap cuts is as what the volume's edge cuts
gaps = read_table(inputs.gaps) if inputs.gaps else None
blocks = {block.name: block for block in cuboids(volume.shape, volume.cuboid(params.cuboid))}


def compute(unit, path):
    block = blocks[unit.name]
    save_measured(path, measure(volume.__getitem__, block, volume.shape, volume.voxel_nm, gaps, volume.stride))


units = step.own_units(snakemake, blocks, source_stamp(source, inputs.gaps or None))
step.run_units(snakemake, units, compute, suffix=".npz", read=[source])
