"""What the rules of the neurons branch are told."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spinome.io.tables import write_table
from spinome.workflow.plans.neurons import UNKNOWN_MILLIONS, VOLUME_NEURONS, NeuronsPlan
from spinome.workflow.shards import DONE_COLUMNS
from spinome.workflow.stamps import Stamps

MESHES = [{"neuron": name, "mesh": f"{name}.ply"} for name in ("a", "b", "c")]


@pytest.fixture
def plan(study):
    def make(meshes=MESHES, **keys):
        return NeuronsPlan(study(meshes=meshes, neurons={"shards": 1} | keys), ())

    return make


def test_all_is_kept_of_few_neurons_and_less_of_many(plan):
    assert plan().keeps_all and plan(keep_all_up_to=3).keeps_all
    assert not plan(keep_all_up_to=2).keeps_all
    assert plan(keep_all_up_to=2, keep="all").keeps_all and not plan(keep="condensed").keeps_all


def test_a_job_is_as_large_as_its_meshes(plan):
    np.savez("a.npz", vertices=np.zeros((500_000, 3), np.float32), faces=np.zeros((1, 3), int))
    np.savez("b.npz", vertices=np.zeros((2_000_000, 3), np.float32), faces=np.zeros((1, 3), int))
    made = plan([{"neuron": name, "mesh": f"{name}.npz"} for name in "ab"])
    assert made.shard_size(SimpleNamespace(shard="0"), []) == (2.0, 2.5)
    assert made.sizes_of(made.study.neurons[:1])(None, []) == (0.5, 0.5)


def test_what_is_not_made_yet_is_taken_for_large_until_it_is_there(plan):
    made = plan([{"neuron": "a", "mesh": "resources/phantom/p/mesh.npz"}])
    shard = SimpleNamespace(shard="0")
    assert made.shard_size(shard, []) == (UNKNOWN_MILLIONS, UNKNOWN_MILLIONS)
    Path("resources/phantom/p").mkdir(parents=True)
    np.savez("resources/phantom/p/mesh.npz", vertices=np.zeros((40_000, 3), np.float32), faces=np.zeros((1, 3), int))
    assert made.shard_size(shard, []) == (0.04, 0.04)


def test_the_neurons_of_a_volume_are_sized_when_they_are_meshed(study):
    made, shard = NeuronsPlan(study(meshes=MESHES), ("v",)), SimpleNamespace(shard="volume-v")
    assert made.shard_size(shard, []) == (UNKNOWN_MILLIONS, VOLUME_NEURONS * UNKNOWN_MILLIONS)
    folder = Path("results/linking/meshes/v")
    folder.mkdir(parents=True)
    for name, count in {"7": 1000, "9": 3000}.items():
        np.savez(folder / f"{name}.npz", vertices=np.zeros((count, 3), np.float32), faces=np.zeros((1, 3), int))
    (folder / "neurons.tsv").write_text("neuron\tmesh\tsynapses\n7\t7.npz\t\n9\t9.npz\t\n")
    assert made.shard_size(shard, []) == (0.003, 0.004)


def test_of_very_many_neurons_snakemake_is_shown_what_the_workflow_makes_alone(plan):
    """The others count by their stamps."""
    rows = [{"neuron": f"n{number}", "mesh": f"n{number}.ply"} for number in range(Stamps.MOST_OPENED)]
    rows[0]["mesh"] = "resources/phantom/p/mesh.npz::mesh"
    shard = SimpleNamespace(shard="0")
    listed = plan(rows).files("mesh")(shard)
    assert len(listed) == len(rows) and "n1.ply" in listed
    more = plan([*rows, {"neuron": "one_more", "mesh": "one_more.ply"}])
    assert more.files("mesh")(shard) == ["resources/phantom/p/mesh.npz"]
    assert more.stamps("mesh")(shard) != plan([*rows, {"neuron": "one_more", "mesh": "n1.ply"}]).stamps("mesh")(shard)


def test_what_is_not_kept_is_no_table_of_the_run(plan):
    assert {"neurons_simplify", "neurons_hks"} <= set(plan().finished)
    assert not {"neurons_simplify", "neurons_hks"} & set(plan(keep="condensed").finished)


def test_the_step_after_tells_what_made_the_units_that_are_gone(plan):
    shard = SimpleNamespace(shard="0")
    kept, gone = plan().unkept(shard), plan(keep="condensed").unkept(shard)
    assert kept == plan(hks={"mollify": 1e-4}).unkept(shard) == gone[:-1]
    assert gone != plan(keep="condensed", hks={"mollify": 1e-4}).unkept(shard)
    assert gone != plan(keep="condensed", simplify={"reduction": 0.5}).unkept(shard)
    assert gone == plan(keep="condensed", condense={"distance": 2.0}).unkept(shard)


def test_units_count_as_read_until_a_step_that_reads_them_changes(plan):
    assert plan().readers == ""
    readers = plan(keep="condensed").readers
    assert readers == plan(keep="condensed", simplify={"reduction": 0.5}).readers
    assert readers != plan(keep="condensed", condense={"distance": 2.0}).readers


def test_a_forest_that_learns_from_answers_is_not_scored(study):
    meshes = [{"neuron": name, "mesh": f"{name}.ply", "truth_labels": f"{name}.npz"} for name in "ab"]
    asked, plain = (
        NeuronsPlan(study(meshes=meshes, neurons={"train": ["a"]}, review={"learn": learn}), ())
        for learn in (True, False)
    )
    assert asked.model.trained == ["<results>/review/learn_neurons/neurons.skops"] and asked.model.answered
    # it begins with the one that there would be without answers
    assert asked.taught_model == plain.model and plain.model.trained == ["<results>/models/neurons.skops"]
    assert asked.scored == [] and [row.neuron for row in plain.scored] == ["b"]


@pytest.fixture
def at_addresses(plan):
    """The plan of two neurons at addresses, and a function that writes the table of those that could be had."""

    def fetch(**files):
        Path("results/retrieve/mesh").mkdir(parents=True, exist_ok=True)
        rows = [[name, "key", file] for name, file in files.items()]
        write_table(pd.DataFrame(rows, columns=DONE_COLUMNS), "results/retrieve/mesh/0.parquet")

    rows = [{"neuron": name, "mesh": f"gs://bucket/meshes::{number}"} for number, name in enumerate("ab")]
    return lambda **keys: plan(rows, **keys), fetch


def test_a_mesh_that_could_not_be_had_counts_as_nothing(at_addresses):
    (make, fetch), shard = at_addresses, SimpleNamespace(shard="0")
    made = make()
    assert made.shard_size(shard, []) == (UNKNOWN_MILLIONS, 2 * UNKNOWN_MILLIONS)
    Path("resources/meshes").mkdir(parents=True)
    np.savez("resources/meshes/a.npz", vertices=np.zeros((40_000, 3), np.float32), faces=np.zeros((1, 3), int))
    fetch(a="resources/meshes/a.npz")
    assert made.shard_size(shard, []) == (0.04, 0.04)
    # of one that could be had and is not there nothing is known
    fetch(a="resources/meshes/a.npz", b="resources/meshes/b.npz")
    assert made.shard_size(shard, []) == (UNKNOWN_MILLIONS, UNKNOWN_MILLIONS + 0.04)
    Path("results/retrieve/mesh/0.parquet").write_text("no table")
    assert make().shard_size(shard, []) == (UNKNOWN_MILLIONS, UNKNOWN_MILLIONS + 0.04)


def test_the_size_of_a_mesh_that_did_not_stay_is_known(at_addresses):
    (make, fetch), shard = at_addresses, SimpleNamespace(shard="0")
    made = make(keep_fetched=False)
    fetch(a="results/units/a.npz")
    Path("results/units").mkdir()
    np.savez("results/units/a.npz", vertices=np.zeros((40_000, 3), np.float32), faces=np.zeros((1, 3), int))
    assert made.shard_size(shard, []) == (0.04, 0.04)
    Path("results/units/a.npz").unlink()
    Path("results/units/a.npz.spent").write_text("40000")
    assert made.shard_size(shard, []) == (0.04, 0.04)


def test_a_plan_shows_what_may_fetch_again_and_the_last_step_lets_go(at_addresses, plan):
    make = at_addresses[0]
    assert make().fetches == plan(keep_fetched=False).fetches == {}
    assert make(keep_fetched=False).fetches == {"fetches": 1}
    assert make(keep="all").last_reader == "exchange" and make(keep="condensed").last_reader == "synapses"
