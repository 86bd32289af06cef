"""Train the forest on the neurons with truth that the configuration names."""

from spinome.io.meshes import read_mesh
from spinome.io.models import Model, save_model
from spinome.io.tables import write_table
from spinome.logs import log_to
from spinome.neurons.members import load, members, next_units
from spinome.neurons.train import neuron_examples, train

log_to(snakemake.log)
params = snakemake.params
meshes, domains = {}, {}
for simplified, condensed in zip(snakemake.input.simplified, snakemake.input.domains):
    _, files = next_units(simplified, condensed)
    meshes.update(files[0])
    domains.update(files[1])
examples = {}
for neuron in members("sheet", params.rows):
    condensed = load(domains[neuron.unit])
    domain_of = condensed["label"][load(meshes[neuron.unit])["vertex_of"]]
    examples[neuron.unit] = neuron_examples(
        neuron.unit,
        read_mesh(neuron.mesh),
        domain_of,
        condensed,
        params.truth[neuron.unit],
        neuron.synapses,
        neuron.soma_nm,
    )
model, scores = train(examples, params.seed)
print(scores.to_string())
card = {
    "trained_on": sorted(examples),
    "seed": params.seed,
    "options": params.options,
    "scores": scores.to_dict("list"),
}
save_model(snakemake.output.model, Model(model.estimator, model.features, card))
write_table(scores, snakemake.output.scores)
