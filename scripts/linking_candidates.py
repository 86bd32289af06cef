"""Find the candidate shafts of one shard of a volume's orphans; orphans in one cube are one unit."""

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import fingerprint, open_labels, open_probability, require_same_grid, require_voxel_size
from spinome.linking.candidates import group_candidates, group_names
from spinome.linking.typing import working_stride
from spinome.logs import log_to
from spinome.provenance import content_hash, file_hash
from spinome.shards import Unit, run_shard, shard_of

log_to(snakemake.log)
params, shard = snakemake.params, int(snakemake.wildcards.shard)
segments = open_labels(params.segments, params.voxel_nm)
voxel_nm = require_voxel_size(segments)
membrane = open_probability(params.membrane, params.voxel_nm) if params.membrane else None
require_same_grid([segments, *([membrane] if membrane else [])])
stride = working_stride(voxel_nm, params.working_nm)
typing = read_table(snakemake.input.typing)
shafts = typing.loc[typing["kind"] == "shaft", "segment"].to_numpy()
orphans = typing[typing["kind"] == "orphan"]
groups = dict(list(orphans.groupby(group_names(orphans, params.group_nm))))
synapses = read_table(snakemake.input.synapses) if params.with_synapses else None


def compute(unit, path):
    orphans = groups[unit.name]
    write_table(
        group_candidates(segments, membrane, orphans, shafts, synapses, stride, voxel_nm, params.radius_nm), path
    )


tables = [snakemake.input.typing, *([snakemake.input.synapses] if params.with_synapses else [])]
state = content_hash(
    *[file_hash(table) for table in tables],
    *[fingerprint(source) for source in (params.segments, params.membrane) if source],
)
run_shard(
    [Unit(name, state) for name in groups if shard_of(name, params.shards) == shard],
    compute,
    step=snakemake.rule,
    store=params.store,
    suffix=".parquet",
    key=content_hash(voxel_nm, params.working_nm, params.radius_nm, params.group_nm, params.code),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
