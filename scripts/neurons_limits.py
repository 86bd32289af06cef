"""Hold what the meshes of neurons are like against what the forest was trained on."""

import numpy as np
import pandas as pd

from spinome.io.tables import write_table
from spinome.limits import LIMIT_COLUMNS, tell_unlike
from spinome.neurons.appearance import judge_limits
from spinome.neurons.classify import load_forest
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
done = Finished.read(*step.by_name(inputs, "classify").values())
card = load_forest(step.model_file(snakemake), params.hks).card
rows = []
for unit in done:
    with np.load(done[unit], allow_pickle=False) as classified:
        rows.append({"neuron": unit, **judge_limits(classified["traits"], card)})
table = pd.DataFrame(rows, columns=["neuron", *LIMIT_COLUMNS])
print(*tell_unlike(table), sep="\n")
write_table(table, output[0])
