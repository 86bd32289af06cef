"""Train the synapse voxel classifier."""

import json
from functools import partial
from pathlib import Path

from spinome.io.volumes import open_labels
from spinome.synapses.classifiers import of_forest, of_network, read_recipe, save_classifier
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import Grey
from spinome.synapses.learners import forest_learner, network_learner
from spinome.synapses.train import train
from spinome.workflow import step

step.begin(snakemake)
params, settings = snakemake.params, snakemake.params.classify
cuboid = tuple(params.cuboid)
greys = {Path(file).stem: Grey(**json.loads(Path(file).read_text())) for file in snakemake.input.grey}
volumes = {
    volume: (open_evidence(row, greys[volume]), open_labels(row["truth_synapses"], row["voxel_nm"]))
    for volume, row in params.rows.items()
}
if settings["kind"] == "network":
    import torch

    torch.set_num_threads(snakemake.threads)
    size = {"steps": settings["steps"], "start": snakemake.input.start[0] if snakemake.input.start else None}
    learn = network_learner(volumes, seed=params.seed, store=Path(params.aside.store), code=params.code, **size)
    model = train(volumes, learn, of_network, cuboid)
else:
    recipe = read_recipe(settings, snakemake.input.profile)
    size = {name: settings[name] for name in ("trees", "depth", "voxels_per_class")}
    learn = forest_learner(volumes, cuboid=cuboid, recipe=recipe, seed=params.seed, **size)
    model = train(volumes, learn, partial(of_forest, recipe=recipe), cuboid)
print(json.dumps(model.card, indent=1))
save_classifier(snakemake.output.model, model)
