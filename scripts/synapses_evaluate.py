"""Score found synapses against the true ones of all volumes that have truth."""

import pandas as pd

from spinome.io.datasets import read_rows
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels
from spinome.synapses.classifiers import load_card
from spinome.synapses.objects.evaluate import CANDIDATE_COLUMNS, candidates, compare, evaluate
from spinome.synapses.objects.judge import Judge
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
gaps = read_table(inputs.gaps)
labels, models = step.by_name(inputs, "labels"), step.by_name(inputs, "model")
compared, ranked, tables = [], [], []
for volume, row in params.aside.rows.items():
    truth, found = open_labels(row["truth_synapses"], row["voxel_nm"]), open_labels(labels[volume])
    lost = gaps[gaps["volume"] == volume]
    compared.append(compare(truth, found, read_rows(inputs.objects, "volume", [volume]), lost))
    parts = Finished.read(*step.by_name(inputs, f"parts/{volume}").values())
    judge = Judge.of_card(load_card(models.get(volume) or params.aside.model))
    every, drawn = candidates(parts, found.shape, found.voxel_nm, tuple(params.cuboid), params.connectivity, judge)
    ranked.append(compare(truth, drawn, every, lost).result)
    own = {"volume": volume, "rank": ranked[-1].found_score, "true": ranked[-1].found_true}
    tables.append(pd.DataFrame(own))
write_table(evaluate(compared, ranked, params.seed), output.scores)
write_table(pd.concat(tables, ignore_index=True)[CANDIDATE_COLUMNS], output.candidates)
