"""Give the spines of a series one id through all sessions."""

from spinome.io.tables import read_table, write_table
from spinome.logs import log_to
from spinome.twophoton.corrections import correct_links, table_of
from spinome.twophoton.correspond import POSITION
from spinome.twophoton.registered import registered_grid
from spinome.twophoton.time_track import track_series

log_to(snakemake.log)
inputs, params = snakemake.input, snakemake.params
sizes = []
for path in inputs.stacks:
    shape, voxel_um = registered_grid(path)
    sizes.append([length * size for length, size in zip(shape, voxel_um)])
sessions = [read_table(path) for path in inputs.spines]
places = [session[POSITION].to_numpy(float) for session in sessions]
timepoints = [timepoint for timepoint, _ in params.sessions]
same, different, outcomes = correct_links(table_of(params.corrections), timepoints, places)
expected = read_table(inputs.expected)
spines, links = track_series(sessions, params.sessions, expected, sizes, params.gate_um, same, different)
for column in ("field", "specimen"):
    spines.insert(0, column, snakemake.wildcards[column])
    links.insert(0, column, snakemake.wildcards[column])
print(f"{spines['spine'].nunique()} spines, {len(links)} links in {len(sessions)} sessions")
write_table(spines, snakemake.output.spines)
write_table(links, snakemake.output.links)
write_table(outcomes, snakemake.output.corrections)
