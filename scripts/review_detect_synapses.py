"""Find the parts of synapses in one shard of a volume's cuboids by the network that learned from answers, if any."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from spinome import failures
from spinome.cuboids import cuboids
from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.synapses.classifiers import Recipe, load_classifier
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.synapses.objects.detect import detect
from spinome.synapses.objects.patches import save_parts
from spinome.workflow import step
from spinome.workflow.shards import Finished
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
if snakemake.wildcards.volume in json.loads(Path(inputs.judge).read_text())["network"]:
    row, grey = params.aside.row, read_grey(inputs.grey)
    evidence, classifier = open_evidence(row, grey), load_classifier(inputs.model, Recipe())
    # a threshold of the configuration is for the network of before; this one was held against it at its own
    threshold = classifier.card["threshold"]
    blocks = {block.name: block for block in cuboids(evidence.image.shape, tuple(params.cuboid))}

    def compute(unit, path):
        save_parts(path, detect(evidence, blocks[unit.name], classifier.probability, threshold))

    own = step.own_units(snakemake, blocks, source_stamp(row["image"]))
    state = [threshold, asdict(grey), source_stamp(inputs.model)]
    step.run_units(snakemake, own, compute, suffix=".npz", state=state)
else:
    # what was found before the answers holds on; a damaged unit takes the table of the step that makes it, since a
    # copy of that table would name it again in every run
    found = Finished.read(inputs.parts)
    for name in found:
        found[name]
    with atomic(Path(output.done)) as part:
        shutil.copyfile(inputs.parts, part)
    write_table(pd.DataFrame(columns=failures.COLUMNS).astype(str), output.failures)
