"""Score segments, links and the line graph of the volumes with truth that no model was trained on."""

import pandas as pd

from spinome.io.datasets import read_rows
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.evaluate import (
    graph_rows,
    graph_states,
    known_links,
    link_rows,
    overlaps_by_cuboid,
    score_states,
    segmentation_rows,
    top_k_table,
)
from spinome.linking.simulate import CURVE, FRACTIONS, detachment_curve, true_sides
from spinome.scores.intervals import evaluation_table
from spinome.scores.overlap import table_of_overlaps
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
truths, segments = step.by_name(inputs, "truth"), step.sources(snakemake, "segmentation")
gaps = {volume: read_table(file) for volume, file in step.by_name(inputs, "gaps").items()}
rows, tables = [], []
for volume, row in params.aside.rows.items():
    pair = [open_labels(source, row["voxel_nm"]) for source in (segments[volume], row["truth_segmentation"])]
    require_same_grid(pair)
    tables.append(table_of_overlaps(*overlaps_by_cuboid(*pair, tuple(params.cuboid), gaps[volume])).table)
if tables:
    rows += segmentation_rows(tables, params.seed)
links = read_rows(inputs.links, "volume", list(params.scored))
truth = pd.concat([read_table(truths[volume]).assign(volume=volume) for volume in params.scored])
links, truth, lost = known_links(links, truth)
if len(truth):
    rows += link_rows(links, truth, params.seed)
rows += lost
scores: dict[str, list] = {}
curves = []
graphs = [step.by_name(inputs, kind) for kind in ("synapses", "pairs", "matches", "fragments")]
for volume in params.graphs:
    synapses, true_pairs, match, fragments = (read_table(files[volume]) for files in graphs)
    own, known = links[links["volume"] == volume], truth[truth["volume"] == volume]
    match = dict(match.itertuples(index=False))
    states = graph_states(own, known, fragments)
    scored = score_states(synapses, states, true_pairs.to_numpy(), match, set(known["orphan"]))
    for state, parts in scored.items():
        scores.setdefault(state, []).append(parts)
    curves.append(detachment_curve(true_sides(synapses, known), FRACTIONS, seed=params.seed).assign(volume=volume))
for state, parts in scores.items():
    rows += graph_rows(state, parts)
write_table(pd.concat(curves) if curves else pd.DataFrame(columns=["volume", *CURVE]), output.detachment)
write_table(evaluation_table(rows), output.evaluation)
write_table(top_k_table(links, truth), output.topk)
print(evaluation_table(rows).to_string())
