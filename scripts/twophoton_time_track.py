"""Give the spines of a series one id through all sessions, and say what each session is worth."""

import numpy as np

from spinome.io.tables import read_table, write_table
from spinome.twophoton.corrections import correct_links, table_of
from spinome.twophoton.correspond import POSITION
from spinome.twophoton.registered import failure_of, registered_grid, standing
from spinome.twophoton.sessions import session_table
from spinome.twophoton.time_track import track_series
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, found, traced = (step.by_name(inputs, kind) for kind in ("stacks", "spines", "dendrites"))
day_of = dict(params.days)
names = standing(day_of, stacks)
grids = [registered_grid(stacks[name]) for name in names]
sizes = [np.multiply(shape, voxel_um) for shape, voxel_um in grids]
sessions = [read_table(found[name]) for name in names]
places = [session[POSITION].to_numpy(float) for session in sessions]
same, different, outcomes = correct_links(table_of(params.corrections), names, places)
expected, lengths = read_table(inputs.expected), [read_table(traced[name]) for name in names]
days = [(name, day_of[name]) for name in names]
spines, links, dendrites = track_series(sessions, days, expected, sizes, lengths, params.gate_um, same, different)
failures = {name: reason for name in day_of if (reason := failure_of(stacks[name])) is not None}
notes = session_table(params.days, [len(place) for place in places], read_table(inputs.shifts), failures)
for column in ("field", "specimen"):
    for table in (spines, links, dendrites, notes):
        table.insert(0, column, snakemake.wildcards[column])
print(f"{spines['spine'].nunique()} spines, {len(links)} links in {len(sessions)} sessions")
print(notes.to_string())
tables = {"spines": spines, "links": links, "dendrites": dendrites, "sessions": notes, "corrections": outcomes}
for name, table in tables.items():
    write_table(table, output[name])
