"""Label a volume by a published network, for a network of Spinome to learn from."""

from spinome.io.atomic import atomic
from spinome.io.volumes import write_volume
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.synapses.network.unet import load_network
from spinome.synapses.training.taught import teach
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
lesson = teach(open_evidence(params.aside.row, read_grey(inputs.grey)), load_network(inputs.teacher[0]))
with atomic(output[0]) as store:
    for name, kind in (("image", "image"), ("target", "image"), ("truth", "labels")):
        write_volume(store, getattr(lesson, name), lesson.voxel_nm, name=name, kind=kind)
print(f"{(lesson.truth > 0).mean():.2%} of the voxels are in synapses that the teacher finds")
