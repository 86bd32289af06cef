"""Link every orphan to its most probable shaft; write links, spines, violations, bridges, limits, the line graph."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd

from spinome.gaps import GAP_COLUMNS
from spinome.io.datasets import dataset
from spinome.io.models import load_model
from spinome.io.tables import read_table, write_table
from spinome.limits import tell_unlike
from spinome.linking.candidates import FEATURES, failed_orphans, read_candidates
from spinome.linking.exchange import synapse_graph, write_graphml
from spinome.linking.line_graph import line_graph, rename_neurites
from spinome.linking.link_model import tell_older, threshold_of
from spinome.linking.links import grammar_violations, linked_bridges, linked_spines, parents, rank_links
from spinome.linking.proofread import DECISION_COLUMNS, apply_decisions, read_decisions
from spinome.linking.traits import judge_limits, nothing_to_link
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
file = step.model_file(snakemake)
model = load_model(file, FEATURES)
print(*tell_older(model, file, params.threshold), sep="\n")
threshold = threshold_of(model, params.threshold)
typings, synapse_files = step.by_name(inputs, "typing"), step.by_name(inputs, "synapses")
# where synapses could not be looked for, in volumes whose synapses are found here
gap_files = step.by_name(inputs, "gaps")
decided = inputs.decisions
decisions = read_decisions(decided, params.volumes) if decided else pd.DataFrame(columns=DECISION_COLUMNS)
# what grows with the volumes, and what is said of each in a few rows
large, few = ("links", "spines", "line_graph", "bridges"), {"violations": [], "limits": []}
graphs = Path(output.graphs)
graphs.mkdir(parents=True, exist_ok=True)


def linked(volume):
    """The tables of a volume by name."""
    done = list(step.by_name(inputs, f"candidates/{volume}").values())
    finished = Finished.read(*done)
    candidates, segments = read_candidates(finished.values()), read_table(typings[volume])
    none = pd.DataFrame({"synapse": [], "neurite_a": [], "neurite_b": []}, dtype=np.int64)
    synapses = read_table(synapse_files[volume]) if volume in synapse_files else none
    gaps = read_table(gap_files[volume]) if volume in gap_files else pd.DataFrame(columns=GAP_COLUMNS)
    measured = segments[segments["kind"] == "orphan"]
    orphans, failed = measured["segment"], failed_orphans(measured, params.group_nm, finished)
    probability = model.probabilities(candidates[FEATURES].to_numpy(np.float32))[:, 1] if len(candidates) else []
    links = rank_links(candidates, probability, orphans, threshold, failed)
    without = nothing_to_link(len(orphans), int((segments["kind"] == "shaft").sum()))
    known = judge_limits(candidates, model.card, params.working_nm)
    limits = pd.DataFrame([known | {"linked_from": threshold, "without": without}])
    links = apply_decisions(links, decisions[decisions["volume"] == volume])
    joined = rename_neurites(synapses, parents(links))
    pairs = line_graph(joined)
    write_graphml(graphs / f"{volume}.graphml", synapse_graph(joined, pairs))
    made = {
        "links": links.assign(unlikeness=limits["unlikeness"][0]),
        "spines": linked_spines(segments, links, synapses if volume in synapse_files else None, gaps),
        "violations": grammar_violations(segments, links, synapses, gaps),
        "line_graph": pd.DataFrame(pairs, columns=["synapse_a", "synapse_b"]),
        "bridges": linked_bridges(candidates, links),
        "limits": limits,
    }
    print(f"{volume}: {len(orphans)} orphans, {int(links['linked'].sum())} linked, {len(pairs)} pairs of synapses")
    print(f"{volume}: the candidates of {len(failed)} orphans are not known")
    for table in made.values():
        table.insert(0, "volume", volume)
    print(*tell_unlike(limits, "model of links"), sep="\n")
    return made


with ExitStack() as stack:
    add = {name: stack.enter_context(dataset(output[name])) for name in large}
    for volume in params.volumes:
        made = linked(volume)
        for name in large:
            add[name](volume, made[name])
        for name, parts in few.items():
            parts.append(made[name])
for name, parts in few.items():
    write_table(pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True), output[name])
