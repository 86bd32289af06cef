"""Bring hand labels of the MICrONS release, their synapses and a sheet of their neurons into tables."""

import json

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.retrieve.microns import agreement, neuron_sheet, read_labels, read_synapses_of, training
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
labels = read_labels(inputs.labels, inputs.labels_header)
synapses = read_synapses_of(inputs.synapses, inputs.synapses_header, labels["id"])
published = read_labels(inputs.published, inputs.published_header, labels["id"])
score, count = agreement(labels, published)
print(f"{len(labels)} synapses are labelled by hand, {len(synapses)} of them are in the table of synapses")
print(f"published predictions on {count} of them: weighted F1 {score:.3f}")
sheet = neuron_sheet(labels, synapses, output.synapses, output.labels)
for name, table in {"labels": labels, "synapses": synapses, "published": published, "neurons": sheet}.items():
    write_table(table, output[name])
with atomic(output.training) as part:
    part.write_text(json.dumps(training(sheet, output.neurons), indent=2), encoding="utf-8")
