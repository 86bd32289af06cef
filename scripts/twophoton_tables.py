"""The tables of all series: spines, links, dendrites, sessions, corrections, limits, turnover, survival, sizes."""

from spinome.design import stack_samples, with_design, with_design_of_pairs
from spinome.io.tables import concatenate, write_table
from spinome.twophoton.dynamics import survival, turnover
from spinome.twophoton.sessions import require_usable
from spinome.twophoton.size_changes import size_changes
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
tables = {name: concatenate(inputs[name]) for name in ("spines", "links", "dendrites", "sessions", "corrections")}
require_usable(tables["sessions"])
write_table(concatenate(inputs.limits), output.limits)
usable = tables["sessions"][tables["sessions"]["usable"]]
tables["turnover"] = turnover(tables["spines"], usable, params.gap_sessions, params.seed)
for name, measure in (("survival", survival), ("size_changes", size_changes)):
    tables[name] = measure(tables["spines"], usable, params.seed)
for name, table in tables.items():
    first = stack_samples(table)
    if "next_timepoint" in table and name != "corrections":
        table = with_design_of_pairs(table, first, stack_samples(table, "next_timepoint"), params.design)
    else:
        table = with_design(table, first, params.design)
    write_table(table, output[name])
