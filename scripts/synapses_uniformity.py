"""Describe how evenly synapses are spread, in the volumes of this run and in tables counted elsewhere."""

import pandas as pd

from spinome.io.tables import concatenate, read_table, write_table
from spinome.synapses.uniformity import BLOCK_COLUMNS, correct_density, describe_uniformity
from spinome.workflow import step

step.begin(snakemake)
params, given, settings = snakemake.params, snakemake.input, snakemake.params.settings
tables = dict(iter(concatenate(given.blocks).groupby("volume"))) if given.blocks else {}
for name, file in zip(settings["block_tables"], given.tables):
    tables[name] = read_table(file, BLOCK_COLUMNS)
# the detector that counted each table; given synapses are taken as they are
stated = settings["precision"], settings["recall"]
measured = stated
if given.evaluation:
    scores = read_table(given.evaluation[0]).set_index("metric")[["value", "ci_low", "ci_high"]]
    measured = tuple(scores.loc["precision"]), tuple(scores.loc["recall"])
detectors = dict.fromkeys(settings["block_tables"], stated) | dict.fromkeys(params.scored_alike, measured)
described = []
for name, blocks in tables.items():
    described.append(describe_uniformity(blocks, name, settings["dependence_um"], settings["repeats"], params.seed))
    precision, recall = detectors.get(name, (None, None))
    if precision and recall:
        described.append(correct_density(described[-1], precision, recall))
write_table(pd.concat(described, ignore_index=True), snakemake.output[0])
