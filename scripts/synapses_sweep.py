"""Try the published combinations of threshold and size rules on volumes with truth."""

import numpy as np

from spinome.cuboids import cuboids
from spinome.io.tables import write_table
from spinome.io.volumes import open_labels
from spinome.synapses.classifiers import load_classifier, read_recipe
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.synapses.training.published_sweep import operating_curve, try_combinations
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
recipe, tried = read_recipe(params.recipe, inputs.profile), []
greys, models = step.by_name(inputs, "grey"), step.by_name(inputs, "model")
for volume, row in params.aside.rows.items():
    classifier = load_classifier(models.get(volume) or params.aside.model, recipe)
    evidence = open_evidence(row, read_grey(greys[volume]))
    probability = np.empty(evidence.image.shape, np.float32)
    for piece in cuboids(probability.shape, tuple(params.cuboid), classifier.halo(evidence)):
        probability[piece.core] = classifier.probability(evidence, piece)
    truth = open_labels(row["truth_synapses"], row["voxel_nm"])
    tried.append(try_combinations(probability, truth[:], evidence.voxel_nm))
    print(f"{volume}: {len(tried[-1])} combinations")
write_table(operating_curve(tried), output[0])
