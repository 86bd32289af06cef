"""Link every orphan to its most probable shaft, and write links, spines, violations, bridges and the line graph."""

import numpy as np
import pandas as pd

from spinome.io.models import load_model
from spinome.io.tables import read_table, write_table
from spinome.linking.candidates import FEATURES, read_candidates
from spinome.linking.graph import line_graph, rename_neurites
from spinome.linking.links import grammar_violations, linked_bridges, linked_spines, parents, rank_links
from spinome.linking.proofread import DECISION_COLUMNS, apply_decisions, read_decisions
from spinome.logs import log_to

log_to(snakemake.log)
params, results = snakemake.params, snakemake.output.keys()
model = load_model(snakemake.input.model, FEATURES)
synapse_files = dict(zip(params.with_synapses, snakemake.input.synapses))
decided = snakemake.input.get("decisions")
decisions = read_decisions(decided, params.volumes) if decided else pd.DataFrame(columns=DECISION_COLUMNS)
tables = {name: [] for name in results}
for number, (volume, typing_file) in enumerate(zip(params.volumes, snakemake.input.typing)):
    candidates = read_candidates(snakemake.input.candidates[number * params.shards : (number + 1) * params.shards])
    segments = read_table(typing_file)
    none = pd.DataFrame({"synapse": [], "neurite_a": [], "neurite_b": []}, dtype=np.int64)
    synapses = read_table(synapse_files[volume]) if volume in synapse_files else none
    orphans = segments.loc[segments["kind"] == "orphan", "segment"]
    probability = model.probabilities(candidates[FEATURES].to_numpy(np.float32))[:, 1] if len(candidates) else []
    links = rank_links(candidates, probability, orphans, params.threshold)
    links = apply_decisions(links, decisions[decisions["volume"] == volume])
    pairs = line_graph(rename_neurites(synapses, parents(links)))
    made = {
        "links": links,
        "spines": linked_spines(segments, links, synapses),
        "violations": grammar_violations(segments, links, synapses),
        "line_graph": pd.DataFrame(pairs, columns=["synapse_a", "synapse_b"]),
        "bridges": linked_bridges(candidates, links),
    }
    print(f"{volume}: {len(orphans)} orphans, {int(links['linked'].sum())} linked, {len(pairs)} pairs of synapses")
    for name, table in made.items():
        table.insert(0, "volume", volume)
        tables[name].append(table)
for name, parts in tables.items():
    write_table(
        pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True), snakemake.output[name]
    )
