"""Score segments, links and the line graph of the volumes with truth that no model was trained on."""

import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.evaluate import KS, graph_rows, link_rows, segmentation_rows, top_k_table
from spinome.linking.graph import line_graph, rename_neurites
from spinome.linking.links import parents
from spinome.linking.simulate import proofread_parents
from spinome.logs import log_to
from spinome.scores.graphs import score_graphs
from spinome.scores.intervals import evaluation_table
from spinome.scores.segmentation import overlaps

log_to(snakemake.log)
params, given = snakemake.params, snakemake.input
rows, tables = [], []
for _, segments, truth in params.dense:
    pair = open_labels(segments), open_labels(truth)
    require_same_grid(pair)
    tables.append(overlaps(pair[0][:], pair[1][:]).table)
if tables:
    rows += segmentation_rows(tables, params.seed)
links = read_table(given.links)
links = links[links["volume"].isin(params.scored)]
truth = pd.concat([read_table(file).assign(volume=volume) for file, volume in zip(given.truth, params.scored)])
if len(truth):
    rows += link_rows(links, truth, params.seed)
scores: dict[str, list] = {}
for volume, synapse_file, graph_file, match_file in zip(params.graphs, given.synapses, given.graphs, given.matches):
    synapses, true_pairs = read_table(synapse_file), read_table(graph_file).to_numpy()
    match = dict(read_table(match_file).itertuples(index=False))
    own, known = links[links["volume"] == volume], truth[truth["volume"] == volume]
    states = {"orphans": {}, "linked": parents(own)}
    states |= {f"proofread_top_{k}": proofread_parents(own, known, k) for k in KS}
    for state, renamed in states.items():
        scores.setdefault(state, []).append(
            score_graphs(line_graph(rename_neurites(synapses, renamed)), true_pairs, match)
        )
for state, parts in scores.items():
    rows += graph_rows(state, parts)
write_table(evaluation_table(rows), snakemake.output.evaluation)
write_table(top_k_table(links, truth), snakemake.output.topk)
print(evaluation_table(rows).to_string())
