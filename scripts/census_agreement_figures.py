"""Draw how links and labels of the linked meshes agree, and the conflicts to look at first."""

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.neurons.units import volume_neurons
from spinome.report.agreement import draw_all
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, _, output = step.begin(snakemake)
neurons = {
    (volume, int(neuron.neuron)): neuron
    for volume, folder in step.by_name(inputs, "meshes").items()
    for neuron in volume_neurons(volume, folder).values()
}
labelled = Finished.read(*step.by_name(inputs, "labelled").values())
with atomic(output[0]) as folder:
    draw_all(folder, read_table(inputs.agreement), neurons, labelled)
