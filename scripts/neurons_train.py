"""Train the forest on the neurons with truth that the configuration names."""

from spinome.io.models import Model, save_model
from spinome.io.tables import write_table
from spinome.neurons.appearance import known_of
from spinome.neurons.condense import Domains
from spinome.neurons.train import coarser_copies, copy_shares, neuron_examples, train
from spinome.neurons.units import load, sheet_neurons
from spinome.neurons.validate import calibration_table, confusion_table, held_out_predictions, score_table
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake, leaves=False)
condensed = Finished.read(*step.by_name(inputs, "condense").values())
weights = {name: row["truth_weight"] for name, row in params.each.items()}
examples, seen = {}, []
for neuron in sheet_neurons(params.aside.rows, fetched).values():
    if neuron.unit not in condensed:
        print(f"{neuron.unit} failed, and is left out of the training")
        continue
    mesh, truth = fetched.read(neuron), params.aside.truth[neuron.unit]
    synapses = neuron.read_synapses() if neuron.synapses else None
    domains = Domains(**load(condensed[neuron.unit]))
    copies = coarser_copies(neuron.unit, mesh, **params.options["condense"], **params.options["hks"])
    seen += [domains, *(copy.domains for copy in copies.values())]
    given = {neuron.unit: domains} | {name: copy.given for name, copy in copies.items()}
    for name, share in copy_shares(given).items():
        weight = weights[neuron.unit] * share
        examples[name] = neuron_examples(name, mesh, given[name], truth, synapses, weight)
if not examples:
    raise RuntimeError(f"all neurons to train on failed: {', '.join(params.aside.truth)}; see results/failures.parquet")
predicted, importance = held_out_predictions(examples, params.seed)
scores = score_table(predicted)
print(scores.to_string(), importance.to_string(), sep="\n")
model = train(examples, params.seed)
card = {
    "trained_on": {name: float(part.weight.sum()) for name, part in sorted(examples.items())},
    "training data": known_of(seen).for_card(),
    "seed": params.seed,
    "options": params.options,
    "scores": scores.to_dict("list"),
}
save_model(output.model, Model(model.estimator, model.features, card))
write_table(scores, output.scores)
write_table(predicted, output.predicted)
write_table(confusion_table(predicted), output.confusion)
write_table(calibration_table(predicted), output.calibration)
write_table(importance, output.importance)
