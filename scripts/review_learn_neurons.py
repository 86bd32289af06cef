"""Teach the forest of soma, shaft and spine from answers, and keep the old one where the new one is not better."""

import pandas as pd

from spinome.neurons.classify import load_forest
from spinome.neurons.condense import Domains
from spinome.neurons.units import load, sheet_neurons
from spinome.review.answers import Answers, standing
from spinome.review.conclude import conclude, save_taken
from spinome.review.learn_neurons import asked_about, learn, neurons_said, taught
from spinome.review.questions import no_questions
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
file = step.model_file(snakemake)
old = load_forest(file, params.hks)
answers = neurons_said(standing(Answers(params.aside.answers).read()))
fetched = Fetched.of(snakemake, leaves=False)
condensed = Finished.read(*step.by_name(inputs, "condense").values())
answered, neurons, questions = set(answers["unit"]), {}, [no_questions()]
for neuron in sheet_neurons(params.aside.rows, fetched).values():
    # of thousands of neurons a person looked at a few
    if neuron.unit in answered and neuron.unit in condensed:
        mesh = fetched.read_if_had(neuron)
        if mesh is None:
            continue
        neurons[neuron.unit] = mesh, Domains(**load(condensed[neuron.unit]))
        try:
            if neuron.synapses:
                questions.append(asked_about(neuron.unit, neuron.read_synapses(), mesh, params.max_distance))
        except (ValueError, OSError) as error:
            # which is a failed unit where its synapses are labelled
            print(f"{neuron.unit}: its synapses teach nothing: {error}")
taken, row = learn(old, taught(neurons, pd.concat(questions, ignore_index=True), answers, params.seed), params.seed)
scores = pd.DataFrame([row | {"people": " ".join(sorted(answers["who"].unique()))}])
# what meshes the old trees know, and how signatures are made, holds on
card = {name: old.card[name] for name in ("training data", "options") if name in old.card}
save_taken(output.model, taken, conclude(scores, output.scores), old, file, **card)
