"""Try the published combinations of threshold and size rules on volumes with truth."""

import json
from pathlib import Path

import numpy as np

from spinome.blocks import cuboids
from spinome.io.tables import write_table
from spinome.io.volumes import open_labels
from spinome.synapses.classifiers import load_classifier, read_recipe
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import Grey
from spinome.synapses.sweep import operating_curve, try_combinations
from spinome.workflow import step

step.begin(snakemake)
params, given = snakemake.params, snakemake.input
classifier = load_classifier(given.model, read_recipe(params.classify, given.profile))
tried = []
for (volume, row), file in zip(params.rows.items(), given.grey):
    evidence = open_evidence(row, Grey(**json.loads(Path(file).read_text())))
    probability = np.empty(evidence.image.shape, np.float32)
    for piece in cuboids(probability.shape, tuple(params.cuboid), classifier.halo(evidence)):
        probability[piece.core] = classifier.probability(evidence, piece)
    truth = open_labels(row["truth_synapses"], row["voxel_nm"])
    tried.append(try_combinations(probability, truth[:], evidence.voxel_nm))
    print(f"{volume}: {len(tried[-1])} combinations")
write_table(operating_curve(tried), snakemake.output[0])
