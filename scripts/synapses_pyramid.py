"""Make the coarser levels of a volume's labels, and list them."""

import pandas as pd

from spinome.io.tables import write_table
from spinome.io.volumes import fill_pyramid
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
levels = fill_pyramid(inputs.labels)
columns = ["z_nm", "y_nm", "x_nm"]
table = pd.DataFrame(levels, columns=columns).rename_axis("level").reset_index()
print(table.to_string())
write_table(table, output[0])
