"""Teach what finds synapses from what people answered, and keep the old model where that is not better."""

import json
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from spinome.cuboids import cuboids
from spinome.hashing import content_hash, file_hash
from spinome.io.atomic import atomic, remove
from spinome.io.volumes import require_voxel_size
from spinome.review import learn_network
from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.conclude import conclude, save_nothing
from spinome.review.learn_synapses import learn
from spinome.review.questions import NM_PER_UM
from spinome.synapses.classifiers import load_card
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.synapses.network.unet import UNet, load_network, save_network
from spinome.synapses.objects.judge import Judge
from spinome.synapses.objects.merge import Rules, merge_candidates
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
cuboid, models, greys = tuple(params.cuboid), step.by_name(inputs, "model"), step.by_name(inputs, "grey")
settings = {name: value for name, value in params.rules.items() if name != "connectivity"}
connectivity, tables, found = params.rules["connectivity"], [], []
for name, row in params.aside.rows.items():
    evidence = open_evidence(row, read_grey(greys[name]))
    shape, voxel_nm = evidence.image.shape, require_voxel_size(evidence.image)
    files = Finished.read(*step.by_name(inputs, f"parts/{name}").values())
    blocks = [block for block in cuboids(shape, cuboid) if block.name in files]
    parts = [files[block.name] for block in blocks]
    card = load_card(models.get(name) or params.aside.model)
    taken = shape, voxel_nm, connectivity
    candidates, _ = merge_candidates(parts, *taken, Rules.of(settings, card), Judge.of_card(card), measured=True)
    if params.relearns:
        # rules on patches alone number all candidates, in the same order
        areas = Rules(min_area_um2=settings["min_area_um2"], max_area_um2=settings["max_area_um2"])
        _, ids = merge_candidates(parts, *taken, areas)
        found.append((name, evidence, sum(map(len, tables)), blocks, parts, ids))
    tables.append(candidates.assign(volume=name, section_um=voxel_nm[0] / NM_PER_UM))
answers = candidates_said(standing(Answers(params.aside.answers).read()), "synapse")
every, relearn, taught = pd.concat(tables, ignore_index=True), None, []
# a network takes a CPU-minute to learn; one that was killed goes on from here
checkpoints = step.store(snakemake)
if params.relearns:
    torch.set_num_threads(snakemake.threads)
    sources = learn_network.most_answered([learn_network.Source(*one, params.rules) for one in found], answers)
    # a network that was fitted to a volume is for that one, so begin where most was answered
    most = max(sources, key=lambda source: source.answers)
    file = models.get(most.name) or params.aside.model
    start = load_network(file)
    if isinstance(start.net, UNet):
        taught = sorted(source.name for source in sources if source.answers)
        own = checkpoints / content_hash(file_hash(file), params.code)
        relearn = partial(learn_network.relearn, start, sources, every, seed=params.seed, store=own)
learned, scores = learn(every, answers, params.seed, relearn)
said = conclude(scores, output.scores)
if learned.network:
    learned.network.card["learned_from_answers"] = said
    save_network(output.network, learned.network)
else:
    save_nothing(output.network)
# volumes that nobody answered about keep their own network
card = {"judge": None, **(learned.card or {}), "network": taught if learned.network else []}
with atomic(Path(output.judge)) as part:
    part.write_text(json.dumps(card | {"learned_from_answers": said}, indent=1))
if checkpoints.exists():
    remove(checkpoints)
