"""Teach the judge of synapse candidates from what people answered, and keep the old one where that is not better."""

import json
from pathlib import Path

import pandas as pd

from spinome.cuboids import cuboids
from spinome.io.atomic import atomic
from spinome.io.volumes import open_volume, require_voxel_size
from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.conclude import conclude
from spinome.review.learn_synapses import learn
from spinome.review.questions import NM_PER_UM
from spinome.synapses.classifiers import load_card
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.merge import Rules, merge_candidates
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
cuboid, settings, models = tuple(params.cuboid), dict(params.rules), step.by_name(inputs, "model")
connectivity, tables = settings.pop("connectivity"), []
for name, row in params.aside.rows.items():
    volume = open_volume(row["image"], row["voxel_nm"])
    files = Finished.read(*step.by_name(inputs, f"parts/{name}").values())
    parts = [files[block.name] for block in cuboids(volume.shape, cuboid) if block.name in files]
    card = load_card(models.get(name) or params.aside.model)
    taken = volume.shape, require_voxel_size(volume), connectivity, Rules.of(settings, card), Judge.of_card(card)
    candidates, _ = merge_candidates(parts, *taken, measured=True)
    tables.append(candidates.assign(volume=name, section_um=require_voxel_size(volume)[0] / NM_PER_UM))
answers = candidates_said(standing(Answers(params.aside.answers).read()), "synapse")
card, scores = learn(pd.concat(tables, ignore_index=True), answers, params.seed)
said = conclude(scores, output.scores)
with atomic(Path(output.judge)) as part:
    part.write_text(json.dumps((card or {"judge": None}) | {"learned_from_answers": said}, indent=1))
