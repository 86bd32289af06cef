"""What the rules of the simulated specimens are told, and which samples show one."""

from types import SimpleNamespace

import pytest

from spinome.workflow.plans.phantom import PhantomPlan

NEURON = {"neuron": "n", "mesh": "resources/phantom/p/mesh.npz"}
SPECIMENS = {"phantom": {"specimens": {"p": {"seed": 4, "mesh_grid_nm": 80}}}}


def test_a_step_is_told_the_keys_that_it_reads(study):
    plan = PhantomPlan(study(meshes=[NEURON], **SPECIMENS))
    assert plan.keys("mesh_grid_nm", "seed")(SimpleNamespace(specimen="p")) == {"mesh_grid_nm": 80, "seed": 4}


@pytest.mark.parametrize(
    ("source", "specimen"),
    [
        ("resources/phantom/p/mesh.npz", "p"),
        ("resources/phantom/q/em.zarr::image", "q"),
        ("resources/phantom", None),
        ("resources/public/mesh.npz", None),
        ("phantom/p/mesh.npz", None),
        ("precomputed://gs://b/resources/phantom/p", None),
        (None, None),
    ],
)
def test_a_sample_shows_a_specimen_where_its_file_is_made_from_one(study, source, specimen):
    assert PhantomPlan(study(**SPECIMENS)).specimen_of(source) == specimen


def test_truth_is_below_the_resources(study):
    plan = PhantomPlan(study(resources="elsewhere", **SPECIMENS))
    assert plan.truth("p", "spines.parquet") == "elsewhere/phantom/p/truth_spines.parquet"


def test_a_specimen_that_nobody_described_is_named(study):
    with pytest.raises(ValueError, match=r"phantom\.specimens: has no 'q', .*; known: p"):
        PhantomPlan(
            study(meshes=[NEURON, NEURON | {"neuron": "m", "mesh": "resources/phantom/q/mesh.npz"}], **SPECIMENS)
        )
    with pytest.raises(ValueError, match="has no 'x'"):
        PhantomPlan(study(**SPECIMENS)).keys("seed")(SimpleNamespace(specimen="x"))
