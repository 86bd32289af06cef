"""Draw the figures of the neurons branch."""

import shutil
from pathlib import Path

from spinome.io.datasets import count_rows, read_rows, sample_rows
from spinome.io.tables import read_table
from spinome.neurons import truth
from spinome.neurons.spines import read_labelled
from spinome.neurons.units import sheet_neurons, volume_neurons
from spinome.report import neurons as figures
from spinome.report.neurons_training import draw_training
from spinome.report.style import MOST_ROWS, save_figure, tell_sample
from spinome.workflow import step
from spinome.workflow.fetched import Fetched
from spinome.workflow.shards import Finished

given, params, output = step.begin(snakemake)
fetched = Fetched.of(snakemake, leaves=False)
folder = Path(output[0])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
labelled = Finished.read(*step.by_name(given, "spines").values())
shown = list(sheet_neurons(params.aside.rows, fetched).values())
for volume, meshes in step.by_name(given, "folders").items():
    shown += list(volume_neurons(volume, meshes).values())[:1]
shown = [neuron for neuron in shown if neuron.unit in labelled][: params.shown]
synapses, spines = (
    read_rows(path, "neuron", [neuron.neuron for neuron in shown]) for path in (given.synapses, given.spines)
)
for neuron in shown:
    mesh, labels = fetched.read_if_had(neuron), read_labelled(labelled[neuron.unit])
    if mesh is None:
        continue
    own = synapses[(synapses["source"] == neuron.source) & (synapses["neuron"] == neuron.neuron)]
    file = params.aside.truth.get(neuron.neuron) if neuron.source == "sheet" else None
    vertex_truth = truth.read_vertex_truth(file, mesh) if file and not truth.is_table(file) else None
    true = vertex_truth.label if vertex_truth else None
    own_spines = spines[(spines["source"] == neuron.source) & (spines["neuron"] == neuron.neuron)]
    name = neuron.unit.replace("/", "_")
    seen = " The forest was trained on this neuron." if neuron.unit in params.trained else ""
    seen += " Truth: the labels of the sample sheet." if true is not None else ""
    save_figure(
        figures.draw_neuron(mesh, labels.label, true),
        folder,
        f"neuron_{name}",
        f"Soma, shaft and spine: {neuron.unit}",
        f"The whole mesh, {len(mesh.vertices):,} vertices, each in the colour of its most probable class.{seen}",
    )
    places = figures.close_up_places(mesh, labels.spine, own)
    if places:
        save_figure(
            figures.draw_close_ups(mesh, labels.label, own, places, true),
            folder,
            f"close_{name}",
            f"Spines and their synapses: {neuron.unit}",
            f"Stretches with many spines, 12 um across; dots are the synapses on the side in sight.{seen}",
        )
        known = vertex_truth is not None and (vertex_truth.spine >= 0).any()
        save_figure(
            figures.draw_instances(mesh, labels.spine, places[0], vertex_truth.spine if known else None),
            folder,
            f"instances_{name}",
            f"Spines one by one: {neuron.unit}",
            "A stretch of 20 um, each spine in a colour of its own."
            + (" Below, the true spines in the colours of those found; grey: not found." if known else ""),
        )
        save_figure(
            figures.draw_gallery(mesh, labels.spine, own_spines),
            folder,
            f"gallery_{name}",
            f"Spines from small to large: {neuron.unit}",
            f"Of {len(own_spines):,} spines, evenly spaced by volume, one scale, upright: volume, diameter of "
            "the head, length and diameter of the neck.",
        )
neurons = read_table(given.neurons)
if (neurons[["on_soma", "on_shaft", "on_spine"]].sum() > 0).any():
    values, rows = sample_rows(given.synapses, ["tag", "value"], MOST_ROWS), count_rows(given.synapses)
    save_figure(
        figures.draw_synapses(neurons, values),
        folder,
        "synapses",
        "Where the input arrives",
        "Left: input synapses by label, the twelve neurons with the most. Right: probability of the labels given."
        + tell_sample(len(values), rows),
    )
if rows := count_rows(given.spines):
    sizes = sample_rows(given.spines, figures.SIZES, MOST_ROWS)
    save_figure(
        figures.draw_spines(sizes),
        folder,
        "spines",
        "How large the spines are",
        f"{rows:,} spines of {(neurons['spines'] > 0).sum():,} neurons, measured on their surface; dotted: median. "
        "A spine that does not narrow below its head has a neck of length 0 and no neck diameter."
        + tell_sample(len(sizes), rows),
    )
if given.get("compared"):
    save_figure(
        figures.draw_scores(read_table(given.compared)),
        folder,
        "scores",
        "Labels against the truth",
        "Neurons with a truth that the forest was not trained on. Rows are normalised, counts below. Truth that an "
        "algorithm made measures agreement with it, not accuracy.",
    )
if given.get("trained"):
    predicted, importance = (read_table(path) for path in given.trained)
    save_figure(
        draw_training(predicted, importance),
        folder,
        "training",
        "How good the training is",
        "Domains of the neurons that the forest was trained on, each labelled by a forest that has not seen its branch "
        "or its neuron. Confusion: rows are normalised, by weight of surface. Importance: what weighted F1 loses on "
        "unseen branches when features are shuffled. Labels that an algorithm made measure agreement, not accuracy.",
    )
