"""What the Methods paragraph is told of the branches and their models."""

from spinome.workflow.plans.linking import LinkingPlan
from spinome.workflow.plans.methods import MethodsPlan
from spinome.workflow.plans.neurons import NeuronsPlan
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.plans.twophoton import TwophotonPlan

STACKS = [
    {"specimen": "s", "field": field, "timepoint": name, "day": name, "path": f"{field}{name}.tif",
     "truth_spines": "t.csv"}
    for field, name in (("f", 0), ("f", 1), ("g", 0))
]  # fmt: skip
VOLUMES = [
    {"volume": "grey", "image": "grey.h5", "truth_segmentation": "truth.h5"},
    {"volume": "cut", "segmentation": "cut.h5", "synapses": "synapses.h5"},
]
MESHES = [{"neuron": "n", "mesh": "n.ply"}]


def plan(study):
    synapses = SynapsesPlan(study)
    linking = LinkingPlan(study, synapses)
    neurons = NeuronsPlan(study, tuple(linking.volumes))
    return MethodsPlan(study, TwophotonPlan(study), synapses, linking, neurons)


def test_branches_without_samples_are_not_told_of(study):
    told = plan(study(stacks=STACKS)).told
    assert list(told) == ["twophoton"]
    assert (told["twophoton"]["series"], told["twophoton"]["stacks"], told["twophoton"]["repeated"]) == (2, 3, True)


def test_models_are_shipped_given_or_trained(study):
    told = plan(study(stacks=STACKS, twophoton={"train_judge": ["s.f"]})).told["twophoton"]["models"]
    assert told["detector"]["origin"] == "shipped" and told["detector"]["file"] == "detector.safetensors"
    assert told["judge"] == {"origin": "trained", "teachers": ["s.f"]}
    given = plan(study(meshes=MESHES, models={"neurons": "mine.skops"}))
    model = given.told["neurons"]["models"]["neurons"]
    assert (model["origin"], model["file"]) == ("given", "mine.skops")


def test_boxes_of_another_detector_need_no_model(study):
    assert plan(study(stacks=STACKS, twophoton={"detect": {"boxes": "boxes.csv"}})).told["twophoton"]["models"] == {}


def test_what_is_given_is_not_computed(study):
    told = plan(study(volumes=VOLUMES)).told
    assert (told["linking"]["computed"], told["linking"]["volumes"]) == (1, 2)
    assert set(told["linking"]["models"]) == {"links", "membranes", "agglomeration", "typing"}
    assert (told["synapses"]["detected"], told["synapses"]["volumes"]) == (1, 2)
    assert (told["neurons"]["sheet"], told["neurons"]["volumes"]) == (0, 2)
    only = plan(study(volumes=VOLUMES[1:])).told
    assert set(only["linking"]["models"]) == {"links", "typing"} and only["synapses"]["models"] == {}


def test_settings_are_told_where_they_are_not_the_defaults(study):
    keys = {"neurons": {"shards": 9, "hks": {"solver": "bands"}}, "seed": 5, "results": "elsewhere"}
    keys["synapses"] = {"classify": {"kind": "network"}, "density": {"block_um": [1, 1, 1]}}
    assert plan(study(meshes=MESHES, **keys)).changed == {
        "neurons.hks.solver": "bands",
        "synapses.density.block_um": (1.0, 1.0, 1.0),
    }
