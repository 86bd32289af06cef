"""Compare detections, tracks and sizes with the truth of the stacks that have one and were not trained on."""

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.scores.intervals import evaluation_row, evaluation_table
from spinome.twophoton.evaluate import compare, evaluation
from spinome.twophoton.registered import failure_of, registered_grid
from spinome.twophoton.truth import read_truth
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, heads, traced = (step.by_name(inputs, kind) for kind in ("stacks", "truth_spines", "truth_dendrites"))
candidates, spines = concatenate(inputs.candidates), read_table(inputs.spines)
tables, failed = [], 0
for name, row in params.each.items():
    _, voxel_um = registered_grid(stacks[name])
    truth, dendrites = read_truth(heads[name], traced.get(name), row["timepoint"], voxel_um)
    if failure_of(stacks[name]) is not None:
        # its spines are not known, and are not asked for
        truth, failed = truth.iloc[:0], failed + 1
    identity = {key: row[key] for key in ("specimen", "field", "timepoint")}
    own = [table[(table[list(identity)] == pd.Series(identity)).all(axis=1)] for table in (candidates, spines)]
    tables.append(compare(*own, truth, dendrites, voxel_um[0]).assign(day=row["day"], **identity))
compared = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
write_table(compared, output.compared)
rows = evaluation(compared)
if failed:
    rows.append(evaluation_row("not_known", failed, len(tables), "sessions"))
write_table(evaluation_table(rows), output.evaluation)
