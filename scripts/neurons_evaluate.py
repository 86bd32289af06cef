"""Compare labels and spines with the truth of the neurons that have one and were not trained on."""

from collections import Counter

import pandas as pd

from spinome.io.datasets import read_rows
from spinome.io.tables import read_table, write_table
from spinome.neurons import truth
from spinome.neurons.evaluate import (
    COMPARED,
    compare_points,
    compare_spines,
    compare_synapses,
    compare_vertices,
    evaluation,
)
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import sheet_neurons
from spinome.scores.intervals import evaluation_row, evaluation_table
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake, leaves=False)
folders = Finished.read(*step.by_name(inputs, "spines").values())
synapses = read_rows(inputs.synapses, "neuron", list(params.aside.rows))
synapses = synapses[synapses["source"] == "sheet"]
neurons = read_table(inputs.neurons)
neurons = neurons[(neurons["source"] == "sheet") & neurons["with_synapses"]].set_index("neuron")
shared = Counter(params.aside.truth.values())
compared, spines, failed = [pd.DataFrame(columns=COMPARED)], [], 0
for neuron in sheet_neurons(params.aside.rows, fetched).values():
    file = params.aside.truth[neuron.unit]
    own = synapses[synapses["neuron"] == neuron.neuron]
    mesh = fetched.read_if_had(neuron) if neuron.unit in folders else None
    if mesh is None:
        print(f"{neuron.unit}: failed, and is not in the evaluation")
        failed += 1
        continue
    labelled = read_labelled(folders[neuron.unit])
    # without a row, too, where the table could not be read
    if neuron.unit in neurons.index and pd.isna(neurons.loc[neuron.unit, "synapses"]):
        print(f"{neuron.unit}: its synapses failed, and are not in the evaluation")
        failed += 1
    elif len(own):
        try:
            compared.append(compare_synapses(neuron.unit, mesh, own, file))
        except truth.NoLabelsError as error:
            # a table of several neurons need not have labels of each
            if shared[file] == 1:
                raise
            print(f"{neuron.unit}: is not compared: {error}")
    elif neuron.unit in neurons.index and truth.is_table(file) and not truth.has_places(file):
        print(f"{neuron.unit}: its table has no synapse, and {file} has no position: nothing is compared")
    elif truth.is_table(file):
        compared.append(compare_points(neuron.unit, mesh, labelled, file))
    if not truth.is_table(file):
        true = truth.read_vertex_truth(file, mesh)
        compared.append(compare_vertices(neuron.unit, mesh, labelled, true.label))
        if (true.spine >= 0).any():
            spines.append(compare_spines(neuron.unit, mesh, labelled.spine, true.spine, params.min_area))
compared = pd.concat(compared, ignore_index=True).astype({"truth": int, "found": int, "value": float})
spines = pd.concat(spines, ignore_index=True) if spines else pd.DataFrame()
write_table(compared, output.compared)
rows = evaluation(compared, spines)
if failed:
    rows.append(evaluation_row("not_known", failed, len(params.aside.rows), "neurons"))
write_table(evaluation_table(rows), output.evaluation)
