"""Describe the surfaces of one shard of a volume's segments; segments in one cube are one unit."""

import numpy as np
import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels
from spinome.linking.candidates import group_names
from spinome.linking.measure import SIDES
from spinome.linking.pieces import cuboids_of, gather, read_pieces, simplified, weld_pieces
from spinome.linking.shape import HKS_FEATURES, MESH_ERROR_NM, is_meshed, signature
from spinome.workflow import step
from spinome.workflow.shards import Finished
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
volume = Thinned.to(open_labels(step.source(snakemake, "segmentation"), params.voxel_nm), params.working_nm)
cuboid, pieces = volume.cuboid(params.cuboid), Finished.read(*inputs.pieces)
segments = read_table(inputs.segments)
large = segments["volume_um3"] >= (np.inf if params.min_um3 is None else params.min_um3)
# of what the forest of types learns from, the small ones are described as well
taught = read_table(inputs.types, ["segment"], integers=["segment"])["segment"].dropna() if inputs.types else []
segments = segments[large | segments["segment"].isin(taught)]
groups = dict(list(segments.groupby(group_names(segments, params.group_nm))))


def compute(unit, path):
    group = groups[unit.name].set_index("segment")
    names = {label: set(cuboids_of(row, cuboid)) for label, row in zip(group.index, group[list(SIDES)].to_numpy())}
    # of what reaches into a cuboid that failed the surface is not known
    names = {label: own for label, own in names.items() if own <= pieces.keys()}
    meshed = [label for label, known in zip(group.index, is_meshed(group)) if known and label in names]
    every = sorted(set().union(*(names[label] for label in meshed)))
    found = gather(every, lambda name: read_pieces(pieces[name]), meshed)
    rows = {}
    for label in names:
        own = found.pop(label, [])
        none = np.full(len(HKS_FEATURES), np.nan)
        mesh = simplified(*weld_pieces(own)[:2], volume.voxel_nm, MESH_ERROR_NM) if own else None
        rows[label] = none if mesh is None else signature(mesh)
    table = pd.DataFrame(np.reshape(list(rows.values()), (-1, len(HKS_FEATURES))), columns=HKS_FEATURES)
    table.insert(0, "segment", np.array(list(rows), np.int64))
    write_table(table, path)


units = step.own_units(snakemake, groups, source_stamp(inputs.segments, *inputs.pieces, inputs.types or None))
step.run_units(snakemake, units, compute, suffix=".parquet")
