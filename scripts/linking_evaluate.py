"""Score segments, links and the line graph of the volumes with truth that no model was trained on."""

import pandas as pd

from spinome.gaps import without_gaps
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.evaluate import (
    graph_rows,
    graph_states,
    known_links,
    link_rows,
    score_states,
    segmentation_rows,
    top_k_table,
)
from spinome.linking.simulate import CURVE, FRACTIONS, detachment_curve, true_sides
from spinome.logs import log_to
from spinome.scores.intervals import evaluation_table
from spinome.scores.segmentation import overlaps

log_to(snakemake.log)
params, given = snakemake.params, snakemake.input
rows, tables = [], []
for (_, segments, truth), gaps in zip(params.dense, given.gaps):
    pair = open_labels(segments), open_labels(truth)
    require_same_grid(pair)
    tables.append(overlaps(pair[0][:], without_gaps(pair[1][:], read_table(gaps))).table)
if tables:
    rows += segmentation_rows(tables, params.seed)
links = read_table(given.links)
links = links[links["volume"].isin(params.scored)]
truth = pd.concat([read_table(file).assign(volume=volume) for file, volume in zip(given.truth, params.scored)])
links, truth, lost = known_links(links, truth)
if len(truth):
    rows += link_rows(links, truth, params.seed)
rows += lost
scores: dict[str, list] = {}
curves = []
for volume, files in zip(params.graphs, zip(given.synapses, given.graphs, given.matches, given.fragments)):
    synapses, true_pairs, match, fragments = map(read_table, files)
    own, known = links[links["volume"] == volume], truth[truth["volume"] == volume]
    match = dict(match.itertuples(index=False))
    states = graph_states(own, known, fragments)
    scored = score_states(synapses, states, true_pairs.to_numpy(), match, set(known["orphan"]))
    for state, parts in scored.items():
        scores.setdefault(state, []).append(parts)
    curves.append(detachment_curve(true_sides(synapses, known), FRACTIONS, seed=params.seed).assign(volume=volume))
for state, parts in scores.items():
    rows += graph_rows(state, parts)
write_table(pd.concat(curves) if curves else pd.DataFrame(columns=["volume", *CURVE]), snakemake.output.detachment)
write_table(evaluation_table(rows), snakemake.output.evaluation)
write_table(top_k_table(links, truth), snakemake.output.topk)
print(evaluation_table(rows).to_string())
