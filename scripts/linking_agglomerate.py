"""Agglomerate the superpixels of a volume and keep the whole merge tree."""

import pandas as pd

from spinome.flat_forest import flatten_forest
from spinome.io.models import load_model
from spinome.io.tables import write_table
from spinome.io.volumes import open_labels, open_probability, require_voxel_size
from spinome.linking.agglomerate import TREE_COLUMNS, agglomerate
from spinome.linking.edge_features import FEATURES
from spinome.linking.region_graph import region_graph
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
superpixels = open_labels(inputs.superpixels)
voxel_nm = require_voxel_size(superpixels)
membrane = open_probability(step.source(snakemake, "membrane"), voxel_nm)
labels, model = superpixels[:], step.model_file(snakemake)
# a volume may be all membrane, or none of its cuboids may be known
tree = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TREE_COLUMNS.items()})
if labels.any():
    graph = region_graph(labels, membrane[:], voxel_nm)
    print(f"{len(graph.labels)} superpixels, {len(graph.pairs)} contacts")
    forest = flatten_forest(load_model(model, FEATURES).estimator) if model else None
    tree = agglomerate(graph, params.priority, forest)
print(f"{len(tree)} merges")
write_table(tree, output[0])
