"""Teach what finds two-photon spines from what people answered, and keep the old models where that is not better."""

from functools import partial

import numpy as np
import torch

from spinome.hashing import content_hash, file_hash
from spinome.io.atomic import remove
from spinome.io.models import load_model
from spinome.io.tables import read_table
from spinome.review import learn_detector
from spinome.review.answers import Answers, candidates_said, standing
from spinome.review.candidates import described, joined
from spinome.review.conclude import conclude, save_nothing, save_taken
from spinome.review.learn import learn
from spinome.review.learn_depth import at_first_depth, depths_taught, heads_seen, relearn_depth
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.detector import load_detector, save_detector
from spinome.twophoton.judge import FEATURES
from spinome.twophoton.registered import read_registered
from spinome.twophoton.registered import standing as registered
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
torch.set_num_threads(snakemake.threads)
stacks, candidates, boxes = (step.by_name(inputs, kind) for kind in ("stacks", "candidates", "boxes"))
file, network = (step.model_file(snakemake, name) for name in ("model", "detector"))
old = load_model(file, FEATURES)
answers = candidates_said(standing(Answers(params.aside.answers).read()), "spine")
heads, depth, place = heads_seen(answers), old.card["depth"], old.card.get("place")
names = registered(params.each, stacks)
units = {name: "{specimen}.{field}.{timepoint}".format(**params.each[name]) for name in names}
# depth first: candidates are described where they lie, and answers find them where people were asked about them
taught = [(np.zeros((0, len(ESTIMATES))), np.zeros(0), np.zeros(0, bool))]
for name in names:
    own = heads[heads["unit"] == units[name]]
    if len(own):
        stack = read_registered(stacks[name])
        taught.append(depths_taught(stack.voxels, stack.voxel_um, read_table(candidates[name]), own, depth, place))
deeper, depths = relearn_depth(*(np.concatenate(parts) for parts in zip(*taught)), depth)
depth = deeper or depth
every = [
    described(read_registered(stacks[name]), read_table(candidates[name]), params.each[name], old, depth)
    for name in names
]
known = joined(every, old.card["threshold"])
if deeper:
    answers = at_first_depth(answers, known.table, known.table.assign(z_um=known.moved_um))
# a detector takes a CPU-minute to learn; one that was killed goes on from here
checkpoints = step.store(snakemake)
sources = []
for name, candidate in zip(names, every):
    read, found = partial(read_registered, stacks[name]), read_table(boxes[name])
    # what the judge took for a double nobody was asked about
    found["candidate"] = found["candidate"].where(found["candidate"].isin(candidate.table["candidate"]), -1)
    sources.append(learn_detector.Source(units[name], params.each[name], read, found, params.gap_slices))
start, facts = load_detector(network)
own = checkpoints / content_hash(file_hash(network), params.code)
asked = learn_detector.most_answered(sources, answers)
relearn = partial(learn_detector.relearn, start, asked, old, depth, seed=params.seed, store=own)
learned, scores = learn(known, answers, params.seed, relearn)
said = conclude(scores.assign(**depths), output.scores)
if learned.detector is None:
    save_nothing(output.detector)
else:
    save_detector(output.detector, learned.detector, {**facts, "learned_from_answers": said, "taught_by": facts})
# depths alone go with the judge of before
model = old.estimator if learned.judge is None and deeper else learned.judge
card = {name: old.card[name] for name in ("training data", "place") if name in old.card}
threshold = old.card["threshold"] if learned.judge is None else learned.threshold
save_taken(output.model, model, said, old, file, depth=depth, threshold=threshold, **card)
if checkpoints.exists():
    remove(checkpoints)
