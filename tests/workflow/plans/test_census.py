"""What the rules of the census and of the report are told."""

import pytest

from spinome.workflow.plans.census import CensusPlan, Linked
from spinome.workflow.plans.phantom import PhantomPlan

P = "resources/phantom"
SPECIMENS = {"phantom": {"specimens": {"p": {"seed": 1}, "q": {"seed": 2}}}}


def session(specimen, timepoint, day):
    path = f"{P}/{specimen}/session_{timepoint}.ome.tif"
    return {
        "specimen": specimen,
        "field": "f",
        "timepoint": timepoint,
        "day": day,
        "path": path,
    }


STACKS = [session("p", "1", 4), session("p", "0", 0), session("q", "0", 0)]
VOLUMES = [{"volume": "v", "image": f"{P}/p/em.zarr::image"}, {"volume": "real", "image": "real.h5::grey"}]
NEURONS = [
    {"neuron": "n", "mesh": f"{P}/p/mesh.npz", "broad_class": "excitatory"},
    {"neuron": "real", "mesh": "real.npz", "cell_class": "L4", "broad_class": "excitatory"},
]
LINKED = Linked(
    segmentation={"v": None, "real": "real.h5::labels"},
    candidates={"v": ["a.parquet", "b.parquet"], "real": ["c.parquet"]},
    true_links={"v": "true.parquet"},
    with_synapses=["v"],
)
BRANCHES = ("twophoton", "synapses", "linking", "neurons")


@pytest.fixture
def plan(study):
    def make(branches=BRANCHES, scored=None, linked=LINKED, **keys):
        made = study(**{"stacks": STACKS, "volumes": VOLUMES, "meshes": NEURONS} | SPECIMENS | keys)
        return CensusPlan(made, PhantomPlan(made), branches, scored or {}, linked)

    return make


def names(views):
    return [view.name for view in views]


def test_every_sample_of_a_simulated_specimen_is_a_view(plan):
    views = plan().views
    assert names(views) == ["twophoton/p", "twophoton/q", "linking/v", "chain/v", "neurons/n"]
    # the last session by its day, wherever it is in the sheet
    assert views[0].timepoint == "1"
    assert {view.specimen for view in views} == {"p", "q"}


@pytest.mark.parametrize(
    ("keys", "gone"),
    [
        ({"twophoton": {"train": ["q.f"]}}, {"twophoton/q"}),
        ({"twophoton": {"train_judge": ["q.f"]}}, {"twophoton/q"}),
        ({"synapses": {"train": ["v"]}}, {"chain/v"}),
        ({"linking": {"train": ["v"]}}, {"linking/v", "chain/v"}),
        ({"neurons": {"train": ["n"]}}, {"neurons/n"}),
    ],
)
def test_what_a_model_was_trained_on_is_no_view(plan, keys, gone):
    assert set(names(plan().views)) - set(names(plan(**keys).views)) == gone


def test_files_of_views_are_named(plan):
    made = plan()
    named = made.of_views(made.views)
    assert named["samples/linking/v"] == f"{P}/p/em.zarr"
    assert named["truth/linking/v"] == f"{P}/p/truth_spines.parquet"
    assert named["truth/twophoton/q"] == f"{P}/q/truth_spines.csv"
    assert made.true_synapses(made.pictured) == {"synapses/linking/v": f"{P}/p/truth_synapses.parquet"}
    assert made.said(made.views)["linking/v"]["dataset"] == "image"
    assert "chain/v" not in names(made.pictured)


def test_the_place_of_a_view_is_aside_and_what_is_in_it_counts(plan):
    made = plan()
    assert not any(P in str(value) for said in made.said(made.views).values() for value in said.values())
    detached = plan(volumes=[{"volume": "v", "image": f"{P}/p/em.zarr::detached"}])
    assert detached.of_views(detached.views)["samples/linking/v"] == made.of_views(made.views)["samples/linking/v"]
    assert detached.stamps(detached.views[2:3]) != made.stamps(made.views[2:3])


def test_a_branch_gives_its_tables_where_it_has_samples(plan):
    assert set(plan().spines) == {"twophoton", "linking", "neurons", "neuron_synapses"}
    assert plan(branches=("synapses",)).spines == {}
    assert set(plan().tables) == {
        "spines",
        "specimens",
        "levels",
        "matches",
        "failures",
        "completeness",
        "counts",
        "classes",
        "agreement",
        "seen",
    }
    alone = plan(branches=("twophoton",), linked=Linked(), stacks=[], volumes=[], meshes=[])
    assert set(alone.tables) == {"spines", "specimens", "levels", "matches", "failures", "completeness"}
    assert alone.results == [*alone.tables.values(), "<results>/census/figures"]


def test_scores_are_those_of_branches_with_a_truth(plan):
    scored = {"twophoton": [1], "linking": [], "neurons": [1]}
    assert plan(scored=scored).scores == {
        name: f"<results>/{name}/evaluation.tsv" for name in ("twophoton", "neurons", "census")
    }
    unseen = plan(branches=("linking",), scored=scored, stacks=[], volumes=VOLUMES[1:], meshes=[])
    assert unseen.scores == {}


def test_the_page_is_made_of_named_parts(plan):
    page = plan(scored={"linking": ["v"]}).page
    assert "tables/spines" not in page
    assert page["tables/tracked"] == "<results>/twophoton/spines.parquet"
    assert page["tables/failures"] == "<results>/failures.parquet"
    assert page["scores/linking"] == "<results>/linking/evaluation.tsv" and "scores/neurons" not in page
    assert page["figures/census"] == ["<results>/census/figures", "<results>/census/agreement_figures"]
    assert page["truth/q"] == f"{P}/q/truth_spines.parquet"
    real = plan(branches=("neurons",), linked=Linked(), stacks=[], volumes=[], meshes=NEURONS[1:]).page
    assert [name for name in real if name.startswith(("figures", "truth"))] == ["figures/neurons", "figures/census"]


def test_links_and_labels_are_paired_by_volume(plan):
    made = plan()
    named = made.agreement
    assert named["candidates/v"] == ["a.parquet", "b.parquet"] and named["candidates/real"] == ["c.parquet"]
    assert named["segments/real"] == "real.h5" and named["segments/v"] == "<results>/linking/segments/v.zarr"
    assert named["typing/v"] == "<results>/linking/typing/v.parquet"
    assert named["labelled/v"] == "<results>/neurons/spines/volume-v.parquet"
    assert [name for name in named if name.startswith("truth/")] == ["truth/v"]
    assert made.compared == {
        "v": {"voxel_nm": None, "with_synapses": True},
        "real": {"voxel_nm": None, "with_synapses": False},
    }


def test_simulated_cells_are_kept_apart(plan):
    assert plan().classes == {"n": ["simulated"], "v": ["simulated"], "real": ["L4", "excitatory"]}


def test_provenance_takes_every_given_file_once(plan, tmp_path):
    (tmp_path / "said.tsv").write_text("specimen\tfield\ttimepoint\tz_um\ty_um\tx_um\n")
    made = plan(cells=[{"root_id": 5, "cell_class": "basket"}], twophoton={"track": {"corrections": "said.tsv"}})
    assert {"real.h5", "real.npz", "cells.tsv", "said.tsv", f"{P}/p/em.zarr"} <= set(made.given_files)
    assert made.given_files == sorted(set(made.given_files))


def test_samples_are_listed_by_sheet(plan):
    assert plan().shown_samples == {"stacks": ["p.f", "q.f"], "volumes": ["v", "real"], "neurons": ["n", "real"]}
