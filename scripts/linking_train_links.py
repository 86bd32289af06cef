"""Train the forest that tells true from false links, with whole dendrites kept apart in its calibration."""

import numpy as np

from spinome.io.models import Model, save_model
from spinome.io.tables import read_table
from spinome.linking.candidates import FEATURES, failed_orphans, read_candidates
from spinome.linking.links import label_ends, rank_links, top_k, train_links, without_scars
from spinome.linking.traits import known_of
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
truths, typings = step.by_name(inputs, "truth"), step.by_name(inputs, "typing")
features, labels, dendrites, unseen_tables = [], [], [], []
for volume in params.volumes:
    done = list(step.by_name(inputs, f"candidates/{volume}").values())
    candidates, truth, typing = read_candidates(done), read_table(truths[volume]), read_table(typings[volume])
    failed = failed_orphans(typing[typing["kind"] == "orphan"], params.group_nm, Finished.read(*done))
    truth = truth[~truth["orphan"].isin(failed)]
    print(f"{volume}: {len(failed)} orphans whose candidates are not known are left out")
    parent = truth.groupby("orphan")["shaft"].first()
    own = candidates["orphan"].map(parent).fillna(-candidates["orphan"])
    features.append(candidates[FEATURES].to_numpy(np.float32))
    labels.append(label_ends(candidates, truth))
    dendrites.append(np.array([f"{volume}/{name:.0f}" for name in own]))
    unseen_tables.append((candidates, truth))
rows = [len(part) for part in labels]
# each spine once more, without its scar
bare = [without_scars(*part)[FEATURES].to_numpy(np.float32) for part in unseen_tables]
model, unseen = train_links(
    np.concatenate([*features, *bare]), np.concatenate([*labels] * 2), np.concatenate([*dendrites] * 2), params.seed
)
unseen = unseen[: sum(rows)]
card = {"trained_on": params.volumes, "rows": sum(rows), "true_links": int(np.concatenate(labels).sum())}
card["training data"] = known_of([candidates for candidates, _ in unseen_tables]).for_card()
for (candidates, truth), probability, volume in zip(
    unseen_tables, np.split(unseen, np.cumsum(rows)[:-1]), params.volumes
):
    scores = top_k(rank_links(candidates, probability, truth["orphan"].unique(), 0.5), truth)
    card[f"cross_validation_{volume}"] = {key: round(float(value), 4) for key, value in scores.items()}
print(card)
save_model(output[0], Model(model, FEATURES, card))
