"""Cut the surfaces of segments into pieces in one shard of a volume's cuboids, and find their central voxels."""

import fastremap
import numpy as np

from spinome.cuboids import and_next, cuboids
from spinome.io.tables import read_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels
from spinome.labels import rename
from spinome.linking.measure import centroids, nearest_voxels
from spinome.linking.pieces import find_pieces, save_pieces
from spinome.linking.shape import is_meshed
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
source = step.source(snakemake, "segmentation")
volume = Thinned.to(open_labels(source, params.voxel_nm), params.working_nm)
segments = read_table(inputs.segments)
labels, centres = segments["segment"].to_numpy().astype(np.uint64), centroids(segments, volume.voxel_nm)
# surfaces are for the shapes by which a forest types segments
least = np.inf if params.min_um3 is None else params.min_um3
large = is_meshed(segments) & (segments["volume_um3"].to_numpy() >= least)
blocks = {block.name: block for block in cuboids(volume.shape, volume.cuboid(params.cuboid))}


def compute(unit, path):
    block = blocks[unit.name]
    read = volume[and_next(block, volume.shape)].astype(np.uint64)
    pieces = find_pieces(lambda _: rename(read, labels[large], labels[large]), block, volume.shape)
    core = read[tuple(map(slice, block.shape))]
    # the labels of the table are sorted; what lies in cuboids alone that could not be measured is not among them
    held = fastremap.unique(core)
    own = np.searchsorted(labels, held[np.isin(held, labels)])
    away, nearest = nearest_voxels(core, block, labels[own], centres[own], volume.voxel_nm)
    save_pieces(path, pieces, segments=labels[own], away=away, nearest=nearest)


units = step.own_units(snakemake, blocks, source_stamp(source, inputs.segments))
step.run_units(snakemake, units, compute, suffix=".npz")
