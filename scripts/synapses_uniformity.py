"""Describe how evenly synapses are spread, in the volumes of this run and in tables counted elsewhere."""

import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.synapses.density.uniformity import BLOCK_COLUMNS, correct_density, describe_uniformity
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
settings, elsewhere = params.settings, step.by_name(inputs, "tables")
tables = dict(iter(read_table(inputs.blocks).groupby("volume"))) if inputs.blocks else {}
tables |= {name: read_table(elsewhere[name], BLOCK_COLUMNS) for name in params.tables}
# the detector that counted each table; given synapses are taken as they are
stated = settings["precision"], settings["recall"]
measured = stated
if inputs.evaluation:
    scores = read_table(inputs.evaluation).set_index("metric")[["value", "ci_low", "ci_high"]]
    measured = tuple(scores.loc["precision"]), tuple(scores.loc["recall"])
detectors = dict.fromkeys(params.tables, stated) | dict.fromkeys(params.scored_alike, measured)
described = []
for name, blocks in tables.items():
    described.append(describe_uniformity(blocks, name, settings["dependence_um"], settings["repeats"], params.seed))
    precision, recall = detectors.get(name, (None, None))
    if precision and recall:
        described.append(correct_density(described[-1], precision, recall))
write_table(pd.concat(described, ignore_index=True), output[0])
