"""Teach the forest of links from what people answered, and keep the old one where the new one is not better."""

import numpy as np
import pandas as pd

from spinome.io.models import load_model
from spinome.io.tables import read_table
from spinome.io.volumes import label_at, open_labels
from spinome.linking.candidates import FEATURES, failed_orphans, read_candidates
from spinome.linking.link_model import threshold_of
from spinome.review.answers import Answers, standing
from spinome.review.conclude import conclude, save_taken
from spinome.review.learn_links import asked_about, learn, links_said, numbered, taught
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
file, typings = step.model_file(snakemake), step.by_name(inputs, "typing")
old, places, rows = load_model(file, FEATURES), step.sources(snakemake, "segmentation"), params.aside.rows
volumes = {name: open_labels(places[name], row["voxel_nm"]) for name, row in rows.items()}
orphans, candidates = [], []
for name in rows:
    finished = Finished.read(*step.by_name(inputs, f"candidates/{name}").values())
    segments = read_table(typings[name])
    own = segments[segments["kind"] == "orphan"]
    failed = failed_orphans(own, params.group_nm, finished)
    orphans.append(own[~own["segment"].isin(failed)].assign(volume=name))
    candidates.append(read_candidates(finished.values()).assign(volume=name))
asked = pd.concat(orphans, ignore_index=True)
answers = links_said(standing(Answers(params.aside.answers).read()))
questions = asked_about(asked)
found, shafts, weight = taught(questions, answers, lambda name, place: label_at(volumes[name], place), params.seed)
asked, table, number = numbered(asked, pd.concat(candidates, ignore_index=True))
shafts = [shaft and number(questions["unit"].iloc[row], shaft) for row, shaft in zip(found, shafts)]
said = pd.Series(shafts, asked["segment"].iloc[found].to_numpy(), dtype=np.int64)
believed = old.probabilities(table[FEATURES].to_numpy(np.float32))[:, 1] if len(table) else np.zeros(0)
thresholds = threshold_of(old, params.threshold), params.threshold
taken, row = learn(table, said, weight, believed, thresholds, params.seed)
scores = pd.DataFrame([row | {"people": " ".join(sorted(answers["who"].unique()))}])
save_taken(output.model, taken, conclude(scores, output.scores), old, file)
