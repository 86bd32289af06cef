"""Turn the colours of the published dendrite into labels."""

from spinome.io.meshes import write_mesh
from spinome.logs import log_to
from spinome.retrieve.neuron_hks import label_dendrite

log_to(snakemake.log)
write_mesh(snakemake.output[0], label_dendrite(snakemake.input[0]))
