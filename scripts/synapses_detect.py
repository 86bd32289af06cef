"""Find the parts of synapses in one shard of a volume's cuboids."""

from dataclasses import asdict

from spinome.cuboids import cuboids
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.synapses.classifiers import load_classifier, read_recipe
from spinome.synapses.classify import open_evidence
from spinome.synapses.grey import read_grey
from spinome.synapses.objects.detect import detect, take_given
from spinome.synapses.objects.patches import save_parts
from spinome.workflow import step
from spinome.workflow.stamps import source_stamp

inputs, params, output = step.begin(snakemake)
row, options = params.aside.row, params.options
if row["synapses"]:
    given = open_labels(row["synapses"], params.voxel_nm)
    require_voxel_size(given)
    blocks, state = cuboids(given.shape, tuple(params.cuboid)), []

    def find(block):
        return take_given(given, block)

else:
    model, grey = step.model_file(snakemake), read_grey(inputs.grey)
    evidence = open_evidence(row, grey)
    classifier = load_classifier(model, read_recipe(options["recipe"], inputs.profile))
    threshold = options["threshold"] or classifier.card["threshold"]
    blocks = cuboids(evidence.image.shape, tuple(params.cuboid), classifier.halo(evidence))
    state = [threshold, asdict(grey), source_stamp(str(model), *inputs.profile)]

    def find(block):
        return detect(evidence, block, classifier.probability, threshold)


blocks = {block.name: block for block in blocks}


def compute(unit, path):
    save_parts(path, find(blocks[unit.name]))


sources = [source for column, source in row.items() if column != "voxel_nm"]
units = step.own_units(snakemake, blocks, source_stamp(*sources))
step.run_units(snakemake, units, compute, suffix=".npz", state=state, read=sources)
