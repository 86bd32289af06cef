"""Compare detections, tracks and sizes with the truth of the stacks that have one and were not trained on."""

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.scores.intervals import evaluation_table
from spinome.twophoton.evaluate import compare, evaluation
from spinome.twophoton.registered import registered_grid, standing
from spinome.twophoton.truth import read_truth
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, heads, traced = (step.by_name(inputs, kind) for kind in ("stacks", "truth_spines", "truth_dendrites"))
candidates, spines = concatenate(inputs.candidates), read_table(inputs.spines)
tables = []
for name in standing(params.each, stacks):
    row = params.each[name]
    _, voxel_um = registered_grid(stacks[name])
    truth = read_truth(heads[name], traced.get(name), row["timepoint"], voxel_um)
    identity = {key: row[key] for key in ("specimen", "field", "timepoint")}
    own = [table[(table[list(identity)] == pd.Series(identity)).all(axis=1)] for table in (candidates, spines)]
    tables.append(compare(*own, *truth, voxel_um[0]).assign(day=row["day"], **identity))
compared = pd.concat(tables, ignore_index=True)
write_table(compared, output.compared)
write_table(evaluation_table(evaluation(compared)), output.evaluation)
