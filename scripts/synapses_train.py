"""Train the synapse voxel classifier."""

import json
from pathlib import Path

from spinome.io.models import save_model
from spinome.io.volumes import open_labels
from spinome.logs import log_to
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import Grey
from spinome.synapses.train import train

log_to(snakemake.log)
params = snakemake.params
greys = {Path(file).stem: Grey(**json.loads(Path(file).read_text())) for file in snakemake.input.grey}
volumes = {
    volume: (open_evidence(row, greys[volume]), open_labels(row["truth_synapses"], row["voxel_nm"]))
    for volume, row in params.rows.items()
}
model = train(volumes, cuboid=tuple(params.cuboid), seed=params.seed, **params.classify)
print(json.dumps(model.card, indent=1))
save_model(snakemake.output.model, model)
