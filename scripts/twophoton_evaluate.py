"""Compare detections, tracks and sizes with the truth of the stacks that have one and were not trained on."""

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.scores.intervals import evaluation_table
from spinome.twophoton.evaluate import compare, evaluation
from spinome.twophoton.registered import registered_grid, standing
from spinome.twophoton.truth import read_truth_dendrites, read_truth_spines
from spinome.workflow import step

step.begin(snakemake)
inputs = snakemake.input
candidates, spines = concatenate(inputs.candidates), read_table(inputs.spines)
tables = []
for stack, row in zip(*standing(inputs.stacks, snakemake.params.rows)):
    _, voxel_um = registered_grid(stack)
    truth = read_truth_spines(row["truth_spines"], row["timepoint"], voxel_um)
    traced = row["truth_dendrites"]
    dendrites = read_truth_dendrites(traced, row["timepoint"], voxel_um) if traced else None
    identity = {key: row[key] for key in ("specimen", "field", "timepoint")}
    own = [table[(table[list(identity)] == pd.Series(identity)).all(axis=1)] for table in (candidates, spines)]
    tables.append(compare(*own, truth, dendrites, voxel_um[0]).assign(day=row["day"], **identity))
compared = pd.concat(tables, ignore_index=True)
write_table(compared, snakemake.output.compared)
write_table(evaluation_table(evaluation(compared)), snakemake.output.evaluation)
