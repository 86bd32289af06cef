"""Give the spines of a series one id through all sessions, and say what each session is worth."""

from spinome.io.tables import read_table, write_table
from spinome.twophoton.corrections import correct_links, table_of
from spinome.twophoton.correspond import POSITION
from spinome.twophoton.registered import failure_of, registered_grid, standing
from spinome.twophoton.sessions import session_table
from spinome.twophoton.time_track import track_series
from spinome.workflow import step

step.begin(snakemake)
inputs, params, output = snakemake.input, snakemake.params, snakemake.output
reasons = {name: failure_of(path) for (name, _), path in zip(params.sessions, inputs.stacks)}
stacks, paths, lengths, days = standing(inputs.stacks, inputs.spines, inputs.dendrites, params.sessions)
sizes = []
for path in stacks:
    shape, voxel_um = registered_grid(path)
    sizes.append([length * size for length, size in zip(shape, voxel_um)])
sessions = [read_table(path) for path in paths]
places = [session[POSITION].to_numpy(float) for session in sessions]
same, different, outcomes = correct_links(table_of(params.corrections), [name for name, _ in days], places)
expected, lengths = read_table(inputs.expected), [read_table(path) for path in lengths]
spines, links, dendrites = track_series(sessions, days, expected, sizes, lengths, params.gate_um, same, different)
failures = {name: reason for name, reason in reasons.items() if reason is not None}
notes = session_table(params.sessions, [len(place) for place in places], read_table(inputs.shifts), failures)
for column in ("field", "specimen"):
    for table in (spines, links, dendrites, notes):
        table.insert(0, column, snakemake.wildcards[column])
print(f"{spines['spine'].nunique()} spines, {len(links)} links in {len(sessions)} sessions")
print(notes.to_string())
tables = {"spines": spines, "links": links, "dendrites": dendrites, "sessions": notes, "corrections": outcomes}
for name, table in tables.items():
    write_table(table, output[name])
