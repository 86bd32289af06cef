"""Hold what a volume looks like against what the model was trained on."""

import pandas as pd

from spinome.io.tables import write_table
from spinome.limits import tell_unlike
from spinome.synapses.appearance import judge_limits
from spinome.synapses.classifiers import load_card
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
evidence = open_evidence(params.aside.row, read_grey(inputs.grey))
judged = judge_limits(evidence, load_card(step.model_file(snakemake)))
table = pd.DataFrame([{"volume": snakemake.wildcards.volume, **judged}])
print(*tell_unlike(table), sep="\n")
write_table(table, output[0])
