"""Train the agglomeration forest: one flat and one active epoch over the training volumes."""

from spinome.io.models import Model, save_model
from spinome.io.volumes import open_labels, open_probability, require_same_grid, require_voxel_size
from spinome.linking.agglomerate import assign, train_forest
from spinome.linking.edge_features import FEATURES
from spinome.linking.region_graph import region_graph
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
made, membranes = step.by_name(inputs, "superpixels"), step.sources(snakemake, "membrane")
graphs = []
for volume, row in params.aside.rows.items():
    superpixels = open_labels(made[volume])
    voxel_nm = require_voxel_size(superpixels)
    membrane, truth = open_probability(membranes[volume], voxel_nm), open_labels(row["truth_segmentation"], voxel_nm)
    require_same_grid([superpixels, membrane, truth])
    labels = superpixels[:]
    graph = region_graph(labels, membrane[:], voxel_nm)
    graphs.append((graph, assign(labels, truth[:], graph.labels)))
    print(f"{volume}: {len(graph.labels)} superpixels, {len(graph.pairs)} contacts")
forest = train_forest(graphs, params.seed)
card = {"trained_on": params.volumes, "contacts": sum(len(graph.pairs) for graph, _ in graphs), "seed": params.seed}
save_model(output[0], Model(forest, FEATURES, card))
