"""Agglomerate the superpixels of a volume from the contacts of all its cuboids, and keep the whole merge tree."""

from spinome.flat_forest import flatten_forest
from spinome.io.atomic import temporary
from spinome.io.models import load_model
from spinome.io.tables import write_table
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.agglomerate import agglomerate_in_place
from spinome.linking.contacts import count_superpixels, join_contacts, read_contacts
from spinome.linking.edge_features import FEATURES
from spinome.linking.region_graph import graph_of_contacts
from spinome.linking.rounds import agglomerate_in_rounds, blocks_of
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
voxel_nm = require_voxel_size(open_labels(inputs.superpixels))
files, model = Finished.read(*inputs.contacts), step.model_file(snakemake)
forest = flatten_forest(load_model(model, FEATURES).estimator) if model else None
whole = {name: files[name] for name in files}
superpixels = {name: count_superpixels(file) for name, file in whole.items()}
blocks = blocks_of(superpixels, params.most_superpixels)
if len(blocks) > 1:
    with temporary(output[0]) as scratch:
        scratch.mkdir()
        tree = agglomerate_in_rounds(whole, blocks, voxel_nm, scratch, params.priority, forest)
else:
    # a volume may be all membrane, or none of its cuboids may be known
    graph = graph_of_contacts(join_contacts(lambda: map(read_contacts, whole.values())), voxel_nm)
    print(f"{len(graph.labels)} superpixels, {len(graph.pairs)} contacts in {len(files)} cuboids")
    tree = agglomerate_in_place(graph, params.priority, forest)
print(f"{len(tree)} merges")
write_table(tree, output[0])
