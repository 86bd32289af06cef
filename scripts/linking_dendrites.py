"""Cut the surfaces of linked dendrites into pieces, in one shard of a volume's cuboids."""

from spinome.cuboids import cuboids
from spinome.io.datasets import parts_of, read_rows
from spinome.io.tables import read_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels
from spinome.linking.meshes import dendrite_pieces, meshed_dendrites
from spinome.linking.pieces import save_pieces
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
source = step.source(snakemake, "segmentation")
volume = Thinned.to(open_labels(source, params.voxel_nm), params.working_nm)
own = snakemake.wildcards.volume
bridges = read_rows(inputs.bridges, "volume", [own])
shafts = meshed_dendrites(read_table(inputs.typing), bridges, params.min_thickest_nm)
blocks = {block.name: block for block in cuboids(volume.shape, volume.cuboid(params.cuboid))}


def compute(unit, path):
    pieces, segments = dendrite_pieces(
        volume.__getitem__, blocks[unit.name], volume.shape, bridges, shafts, volume.voxel_nm, params.bridge_nm
    )
    save_pieces(path, pieces, segments=segments)


# a change in another volume is none here
part = str(parts_of(inputs.bridges).get(own, inputs.bridges))
units = step.own_units(snakemake, blocks, source_stamp(source, inputs.typing, part))
step.run_units(snakemake, units, compute, suffix=".npz")
