"""Find the parts of synapses in one shard of a volume's cuboids."""

import json
from dataclasses import asdict
from pathlib import Path

from spinome.blocks import cuboids
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.synapses.classifiers import load_classifier, read_recipe
from spinome.synapses.classify import open_evidence
from spinome.synapses.detect import detect, take_given
from spinome.synapses.grey import Grey
from spinome.synapses.parts import save_parts
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
row = params.row
used = [row[name] for name in ("image", "membrane", "vesicles", "synapses") if row[name]]
key = []
if row["synapses"]:
    given = open_labels(row["synapses"], row["voxel_nm"])
    require_voxel_size(given)
    blocks = cuboids(given.shape, tuple(params.cuboid))

    def find(block):
        return take_given(given, block)

else:
    model = step.model_file(snakemake)
    grey = Grey(**json.loads(Path(inputs.grey[0]).read_text()))
    evidence = open_evidence(row, grey)
    classifier = load_classifier(model, read_recipe(params.classify, inputs.profile))
    threshold = params.threshold or classifier.card["threshold"]
    blocks = cuboids(evidence.image.shape, tuple(params.cuboid), classifier.halo(evidence))
    key = [threshold, asdict(grey), source_stamp(str(model), *inputs.profile)]

    def find(block):
        return detect(evidence, block, classifier.probability, threshold)


blocks = {block.name: block for block in blocks}


def compute(unit, path):
    save_parts(path, find(blocks[unit.name]))


units = step.own_units(snakemake, blocks, source_stamp(*used))
step.run_units(snakemake, units, compute, suffix=".npz", state=key)
