"""Find the parts of synapses in one shard of a volume's cuboids."""

import json
from pathlib import Path

from spinome.blocks import cuboids
from spinome.io.volumes import fingerprint, open_labels, require_voxel_size
from spinome.logs import log_to
from spinome.provenance import content_hash, file_hash
from spinome.shards import Unit, run_shard, shard_of
from spinome.synapses.classifiers import load_classifier, read_recipe
from spinome.synapses.classify import open_evidence
from spinome.synapses.detect import detect, take_given
from spinome.synapses.grey import Grey
from spinome.synapses.parts import save_parts

log_to(snakemake.log)
params, row, shard = snakemake.params, snakemake.params.row, int(snakemake.wildcards.shard)
used = [row[name] for name in ("image", "membrane", "vesicles", "synapses") if row[name]]
key = [params.cuboid, row["voxel_nm"], params.code]
if row["synapses"]:
    given = open_labels(row["synapses"], row["voxel_nm"])
    require_voxel_size(given)
    blocks = cuboids(given.shape, tuple(params.cuboid))

    def find(block):
        return take_given(given, block)

else:
    grey = Grey(**json.loads(Path(snakemake.input.grey[0]).read_text()))
    evidence = open_evidence(row, grey)
    classifier = load_classifier(snakemake.input.model[0], read_recipe(params.classify, snakemake.input.profile))
    threshold = params.threshold or classifier.card["threshold"]
    blocks = cuboids(evidence.image.shape, tuple(params.cuboid), classifier.halo(evidence))
    files = [*snakemake.input.model, *snakemake.input.profile]
    key += [threshold, params.classify, grey, *map(file_hash, files)]

    def find(block):
        return detect(evidence, block, classifier.probability, threshold)


blocks = {block.name: block for block in blocks if shard_of(block.name, params.shards) == shard}
state = content_hash([fingerprint(source) for source in used])
run_shard(
    [Unit(name, state) for name in blocks],
    lambda unit, path: save_parts(path, find(blocks[unit.name])),
    step=snakemake.rule,
    store=params.store,
    suffix=".npz",
    key=content_hash(key),
    done=snakemake.output.done,
    failures=snakemake.output.failures,
    max_failed_fraction=params.max_failed_fraction,
)
