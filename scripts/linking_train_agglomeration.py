"""Train the agglomeration forest: one flat and one active epoch over the training volumes."""

from spinome.io.models import Model, save_model
from spinome.io.volumes import open_labels, open_probability, require_same_grid, require_voxel_size
from spinome.linking.agglomerate import assign, train_forest
from spinome.linking.edge_features import FEATURES
from spinome.linking.region_graph import region_graph
from spinome.workflow import step

step.begin(snakemake)
params = snakemake.params
graphs = []
for superpixel_source, membrane_source, truth_source in zip(snakemake.input.superpixels, params.membrane, params.truth):
    superpixels = open_labels(superpixel_source)
    voxel_nm = require_voxel_size(superpixels)
    membrane, truth = open_probability(membrane_source, voxel_nm), open_labels(truth_source, voxel_nm)
    require_same_grid([superpixels, membrane, truth])
    labels = superpixels[:]
    graph = region_graph(labels, membrane[:], voxel_nm)
    graphs.append((graph, assign(labels, truth[:], graph.labels)))
    print(f"{superpixel_source}: {len(graph.labels)} superpixels, {len(graph.pairs)} contacts")
forest = train_forest(graphs, params.seed)
card = {"trained_on": params.volumes, "contacts": sum(len(graph.pairs) for graph, _ in graphs), "seed": params.seed}
save_model(snakemake.output[0], Model(forest, FEATURES, card))
