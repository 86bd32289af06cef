"""Train the model that tells true from false links, with whole dendrites kept apart where its scores are weighed."""

import numpy as np

from spinome.io.models import Model, save_model
from spinome.io.tables import read_table
from spinome.linking.candidates import FEATURES, failed_orphans, read_candidates
from spinome.linking.link_model import lesson, pool, train_links
from spinome.linking.links import rank_links, top_k, without_scars
from spinome.linking.traits import known_of
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
truths, typings = step.by_name(inputs, "truth"), step.by_name(inputs, "typing")
lessons, bare, unseen_tables = [], [], []
for volume, tissue in params.tissues.items():
    done = list(step.by_name(inputs, f"candidates/{volume}").values())
    finished = Finished.read(*done)
    candidates = read_candidates(finished.values())
    truth, typing = read_table(truths[volume]), read_table(typings[volume])
    failed = failed_orphans(typing[typing["kind"] == "orphan"], params.group_nm, finished)
    truth = truth[~truth["orphan"].isin(failed)]
    print(f"{volume}: {len(failed)} orphans whose candidates are not known are left out")
    if tissue != volume:
        # of a volume whose spines were cut off nobody knows where the other orphans belong
        candidates = candidates[candidates["orphan"].isin(truth["orphan"])].reset_index(drop=True)
    lessons.append(lesson(candidates, truth, tissue))
    bare.append(lesson(without_scars(candidates, truth), truth, tissue))
    unseen_tables.append((candidates, truth))
rows = [len(candidates) for candidates, _ in unseen_tables]
model, unseen = train_links(pool([*lessons, *bare]), params.seed, own=sum(rows))
true_links = sum(int(taught.cut.sum()) for taught in lessons)
card = {"trained_on": list(params.tissues), "rows": sum(rows), "true_links": true_links}
card["working_nm"] = params.working_nm
card["training data"] = known_of([candidates for candidates, _ in unseen_tables]).for_card()
for (candidates, truth), probability, volume in zip(
    unseen_tables, np.split(unseen[: sum(rows)], np.cumsum(rows)[:-1]), params.tissues
):
    scores = top_k(rank_links(candidates, probability, truth["orphan"].unique(), 0.5), truth)
    card[f"cross_validation_{volume}"] = {key: round(float(value), 4) for key, value in scores.items()}
print(card)
save_model(output[0], Model(model, FEATURES, card))
