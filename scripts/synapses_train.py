"""Train the synapse voxel classifier."""

import json
from functools import partial
from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.volumes import open_labels, open_probability, open_volume
from spinome.report.synapse_training import draw_lessons
from spinome.synapses.classifiers import of_forest, of_network, read_recipe, save_classifier
from spinome.synapses.classify import Evidence, open_evidence
from spinome.synapses.grey import measure_grey, read_grey
from spinome.synapses.training.learners import forest_learner, network_learner
from spinome.synapses.training.train import train
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
cuboid, learning, greys = tuple(params.cuboid), dict(params.learning), step.by_name(inputs, "grey")
volumes = {
    volume: (open_evidence(row, read_grey(greys[volume])), open_labels(row["truth_synapses"], row["voxel_nm"]))
    for volume, row in params.aside.rows.items()
}
tune = {volume: volumes.pop(volume) for volume in params.tuned}
if learning.pop("kind") == "network":
    import torch

    from spinome.synapses.network.adapt import adapt

    torch.set_num_threads(snakemake.threads)
    store, targets = Path(params.aside.store), {}
    for volume, lesson in step.by_name(inputs, "taught").items():
        image = open_volume(f"{lesson}::image")
        volumes[volume] = Evidence(image, measure_grey(image)), open_labels(f"{lesson}::truth")
        targets[volume] = open_probability(f"{lesson}::target")
    learn = network_learner(
        volumes, seed=params.seed, store=store, code=params.code, start=params.aside.start, targets=targets, **learning
    )
    model = train(volumes, learn, of_network, cuboid, networks=True, tune=tune, fit_to=adapt, taught=list(targets))
else:
    recipe = read_recipe(params.recipe, inputs.profile)
    learn = forest_learner(volumes, cuboid=cuboid, recipe=recipe, seed=params.seed, **learning)
    model = train(volumes, learn, partial(of_forest, recipe=recipe), cuboid, tune=tune)
if taught := step.by_name(inputs, "taught"):
    # the truth of these is what a network of others finds
    model.card["taught volumes"] = list(taught)
with atomic(output.figure) as part:
    draw_lessons(part, {name: (evidence.image, truth) for name, (evidence, truth) in volumes.items()}, list(taught))
print(json.dumps(model.card, indent=1))
save_classifier(output.model, model)
