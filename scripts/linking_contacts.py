"""Find the contacts of the superpixels in one shard of a volume's cuboids."""

from spinome.cuboids import and_next, cuboids
from spinome.io.volumes import open_labels, open_probability, require_same_grid, require_voxel_size
from spinome.linking.contacts import find_contacts, save_contacts
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
superpixels = open_labels(inputs.superpixels)
voxel_nm = require_voxel_size(superpixels)
membranes = step.source(snakemake, "membrane")
membrane = open_probability(membranes, voxel_nm)
require_same_grid([superpixels, membrane])
blocks = {block.name: block for block in cuboids(superpixels.shape, tuple(params.cuboid))}


def compute(unit, path):
    block = blocks[unit.name]
    box = and_next(block, superpixels.shape)
    save_contacts(path, find_contacts(superpixels[box], membrane[box], voxel_nm, block.shape))


units = step.own_units(snakemake, blocks, source_stamp(inputs.superpixels, membranes))
step.run_units(snakemake, units, compute, suffix=".npz", read=[membranes])
