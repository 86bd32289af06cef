"""Give the spines of a series one id through all sessions, and say what each session is worth."""

from spinome.io.tables import read_table, write_table
from spinome.twophoton.corrections import table_of
from spinome.twophoton.presence import with_presence
from spinome.twophoton.registered import failures, registered_size, standing
from spinome.twophoton.sessions import session_table
from spinome.twophoton.time_track import follow_series
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
stacks, found, backbones = (step.by_name(inputs, kind) for kind in ("stacks", "spines", "dendrites"))
day_of = dict(params.days)
sessions = {name: read_table(found[name]) for name in standing(day_of, stacks)}
sizes = [registered_size(stacks[name]) for name in sessions]
traced = [read_table(backbones[name]) for name in sessions]
decisions = table_of(params.corrections)
tables = follow_series(sessions, day_of, decisions, read_table(inputs.expected), sizes, traced, params.gate_um)
tables["spines"] = with_presence(tables["spines"], list(sessions), params.gap_sessions)
failed, shifts = failures({name: stacks[name] for name in day_of}), read_table(inputs.shifts)
tables["sessions"] = session_table(params.days, tables["spines"], shifts, failed, tables["dendrites"])
print(f"{tables['spines']['spine'].nunique()} spines, {len(tables['links'])} links in {len(sessions)} sessions")
print(tables["sessions"].to_string())
for name, table in tables.items():
    if name != "corrections":  # these name their series themselves
        table.insert(0, "specimen", snakemake.wildcards.specimen)
        table.insert(1, "field", snakemake.wildcards.field)
    write_table(table, output[name])
