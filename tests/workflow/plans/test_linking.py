"""What the rules of the linking branch are told."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spinome import configuration
from spinome.linking.membrane_training import BATCH, CROP
from spinome.workflow.plans.linking import MILLIONS_A_STEP, LinkingPlan
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.samples import VolumeRow
from spinome.workflow.study import Study

REPOSITORY = Path(__file__).parents[3]
VOLUMES = [
    # grey values alone, with every truth
    {"volume": "grey", "image": "e.zarr::image", "mask": "e.zarr::mask", "truth_segmentation": "e.zarr::truth",
     "truth_synapses": "e.zarr::synapses"},
    # grey values with given membranes
    {"volume": "bounded", "image": "b.zarr::image", "membrane": "b.zarr::membrane", "truth_segmentation": "b.zarr::t"},
    # segments alone, with true links and synapses
    {"volume": "shapes", "segmentation": "s.zarr::labels", "synapses": "s.zarr::synapses", "truth_links": "s.parquet",
     "truth_synapses": "s.zarr::true"},
    # segments of an image, at a public address
    {"volume": "remote", "image": "r.zarr", "segmentation": "precomputed://gs://bucket/labels"},
]  # fmt: skip


@pytest.fixture
def plan(tmp_path):
    """A function that plans these volumes with keys of the branch."""

    def make(models=None, synapses=None, learn=False, rows=VOLUMES, **keys):
        config = configuration.complete(
            {
                "results": str(tmp_path / "results"),
                "linking": {"shards": 2} | keys,
                "synapses": {"shards": 3} | (synapses or {}),
                "models": models or {},
                "review": {"learn": learn},
            }
        )
        study = Study(config, REPOSITORY, (), tuple(VolumeRow(**row) for row in rows), (), {})
        return LinkingPlan(study, SynapsesPlan(study))

    return make


def of(volume):
    return SimpleNamespace(volume=volume)


def test_segments_are_computed_where_none_are_given(plan):
    one = plan()
    assert one.volumes == ["grey", "bounded", "shapes", "remote"]
    assert one.computed == ["grey", "bounded"] and one.predicted == ["grey"]
    assert one.segmentation(of("grey")) == "<results>/linking/segments/grey.zarr"
    assert one.segmentation(of("shapes")) == "s.zarr"
    assert one.is_computed(of("grey")) and not one.is_computed(of("shapes"))
    # what is at an address is no file that a rule could wait for
    assert one.segmentation(of("remote")) == []
    assert set(one.segmentations(one.volumes)) == {f"segmentation/{name}" for name in ("grey", "bounded", "shapes")}


def test_membranes_are_given_or_predicted_in_the_image(plan):
    one = plan()
    assert one.membrane(of("grey")) == "<results>/linking/assemble/grey.zarr"
    assert one.membrane(of("bounded")) == "b.zarr"
    assert one.membrane(of("shapes")) == []
    assert one.has_membrane(of("bounded")) and not one.has_membrane(of("grey"))


def test_ways_go_through_membranes_of_given_segments_only_where_they_are_given_too(plan):
    one = plan()
    assert one.way_membrane(of("grey")) == one.membrane(of("grey"))
    assert one.way_membrane(of("bounded")) == "b.zarr"
    assert one.way_membrane(of("remote")) == []


def test_synapses_are_given_or_found_where_that_is_asked_for(plan):
    assert plan().with_synapses == ["grey", "bounded", "shapes", "remote"]
    assert plan(find_synapses=False).with_synapses == ["shapes"]
    assert plan().neurites_of_synapses(of("grey")) == ["<results>/linking/synapses/grey.parquet"]
    assert plan(find_synapses=False).neurites_of_synapses(of("grey")) == []
    assert plan().has_synapses(of("shapes")) and not plan().has_synapses(of("grey"))
    assert plan().with_found_synapses == ["grey", "bounded", "remote"]
    assert plan().finds_synapses(of("grey")) and not plan().finds_synapses(of("shapes"))
    assert plan(find_synapses=False).with_found_synapses == []
    assert plan().painted(of("grey")) == [f"<results>/synapses/density/grey/{shard}.parquet" for shard in range(3)]


def test_volumes_that_are_trained_on_are_neither_scored_nor_shown(plan):
    one = plan()
    assert one.scored == ["grey", "bounded", "shapes"]
    assert one.dense == ["grey", "bounded"]
    assert one.true_graphs == ["grey", "shapes"]
    taught = plan(train=["grey", "shapes"])
    assert taught.scored == taught.dense == ["bounded"] and taught.true_graphs == []
    assert taught.shown == ["bounded", "remote"]
    assert plan(find_synapses=False).true_graphs == ["shapes"]


def test_what_was_cut_from_one_volume_with_a_training_volume_is_neither_scored_nor_shown(plan):
    cut = [
        {
            "volume": f"cut_{number}",
            "segmentation": f"{number}.zarr",
            "truth_links": f"{number}.tsv",
            "cut_from": "grey",
        }
        for number in (1, 2)
    ]
    one = plan(rows=[*VOLUMES, *cut], train=["cut_1"])
    assert one.shown == ["bounded", "shapes", "remote"] and one.scored == ["bounded", "shapes"]
    assert plan(rows=[*VOLUMES, *cut], train=["shapes"]).scored == ["grey", "bounded", "cut_1", "cut_2"]


def test_types_that_are_learned_from_count_among_what_shapes_are_made_of(plan, tmp_path):
    types = tmp_path / "types.tsv"
    types.write_text("segment\ttype\n1\tshaft\n")
    rows = [*VOLUMES, {"volume": "typed", "segmentation": "t.zarr", "truth_types": str(types)}]
    taught, given = plan(rows=rows, train=["typed"]), plan(rows=rows)
    assert given.shape_stamps(of("typed")) == given.stamps("segmentation")(of("typed"))
    before = taught.shape_stamps(of("typed"))
    types.write_text("segment\ttype\n2\tshaft\n")
    assert plan(rows=rows, train=["typed"]).shape_stamps(of("typed")) != before
    assert len(before) == 2 and len(taught.shape_stamps(of("grey"))) == 1


def test_each_model_learns_from_the_truth_that_it_needs(plan):
    one = plan(train=["bounded", "shapes"])
    assert one.membrane_teachers == one.agglomeration_teachers == one.dense_teachers == ["bounded"]
    assert one.link_teachers == ["shapes"]
    assert one.membrane_model.trained == ["<results>/models/membranes.safetensors"]
    assert one.agglomeration_model.trained == ["<results>/models/agglomeration.skops"]
    assert one.links_model.trained == ["<results>/models/links.skops"]
    assert one.membrane_teaching(of("any")) == {"image/bounded": "b.zarr", "truth_segmentation/bounded": "b.zarr"}
    assert one.agglomeration_teaching(of("any")) == {
        "superpixels/bounded": "<results>/linking/watershed/bounded.zarr",
        "membrane/bounded": "b.zarr",
        "truth_segmentation/bounded": "b.zarr",
    }


def test_a_forest_that_learns_from_answers_is_not_scored(plan):
    one = plan(train=["shapes"], learn=True)
    assert one.links_model.trained == ["<results>/review/learn_links/links.skops"] and one.links_model.answered
    # it begins with the one that there would be without answers
    assert one.taught_links.trained == ["<results>/models/links.skops"]
    assert Path(plan(learn=True).taught_links.given).name == "links.skops"
    assert one.scored == one.dense == one.true_graphs == []
    assert plan().links_model == plan().taught_links
    assert one.typing_model.trained == ["<results>/review/learn_types/typing.skops"] and one.typing_model.answered
    assert Path(one.taught_typing.given).name == "typing.skops" and one.unseen_types == []
    assert plan().typing_model == plan().taught_typing and plan(learn=True).surface_min_um3 is not None


def test_links_alone_train_no_membranes(plan):
    one = plan(train=["shapes"])
    assert not one.membrane_model.trained and not one.agglomeration_model.trained and one.links_model.trained
    for teaching, columns in ((one.membrane_teaching, "image"), (one.agglomeration_teaching, "image or membrane")):
        with pytest.raises(ValueError, match=f"names no volume with truth_segmentation and {columns}; fill these"):
            teaching(of("any"))


def test_models_count_by_their_content(plan, tmp_path):
    shipped = plan().links_model
    (tmp_path / "copy.skops").write_bytes(Path(shipped.given).read_bytes())
    given = plan(models={"links": str(tmp_path / "copy.skops")}, train=["shapes"]).links_model
    assert not given.trained and given.given != shipped.given and given.stamp == shipped.stamp != ""


def test_a_forest_of_agglomeration_is_for_its_priority_alone(plan):
    one = plan(agglomerate={"priority": "median"}, train=["grey"])
    assert one.agglomeration_model.trained == [] and one.agglomeration_model.given is None
    assert one.agglomeration_model.stamp == ""


def test_segments_are_typed_by_rules_or_by_a_forest_that_reads_fewer_keys(plan):
    forest = str(REPOSITORY / "workflow" / "models" / "typing.skops")
    # rules say what a shaft may be, and the forest that ships which of these are axons or glia
    assert plan().typing_model.given == forest and not plan().typed_by_shape
    assert plan(typing={"shaft_min_probability": 0}).typing_model.given == forest
    assert {"shaft_min_um3", "shaft_min_probability", "orphan_max_um3"} <= set(plan().typing)
    typed = [plan(models={"typing": forest}, typing=keys) for keys in ({}, {"shaft_min_um3": 3.0})]
    assert typed[0].typing == typed[1].typing == {"working_nm": 32.0, "orphan_min_um3": 0.004}
    assert typed[0].typing_model.given == forest and typed[0].typing_model.stamp


def test_detached_volumes_need_a_segmentation(plan):
    assert plan(detach={"volumes": ["shapes"]}).detached == ["shapes"]
    assert set(plan().detaching) == {"gap_nm", "kinds", "noise_nm", "share", "draws"}
    with pytest.raises(ValueError, match=r"linking\.detach\.volumes names grey, nobody, which is no volume with a seg"):
        plan(detach={"volumes": ["nobody", "shapes", "grey"]})


def test_true_links_are_given_or_come_from_a_dense_truth(plan):
    one = plan()
    assert one.is_linked(of("shapes")) and not one.is_linked(of("grey"))
    assert one.is_dense(of("grey")) and not one.is_dense(of("shapes"))
    assert one.truth_stamps(of("shapes")) == one.stamps_of(["shapes"], "truth_links")
    assert one.truth_stamps(of("grey")) == one.stamps_of(["grey"], "segmentation", "truth_segmentation")


def test_every_shard_of_every_volume_has_its_tables(plan):
    one = plan()
    assert len(one.failures) == len(set(one.failures)) == (5 * 4 + 2 * 2 + 1) * 2
    assert "<results>/failures/linking_membranes/grey/1.parquet" in one.failures
    assert "<results>/failures/linking_membranes/bounded/1.parquet" not in one.failures
    assert {step: len(set(tables)) for step, tables in one.finished.items()} == {
        "linking_candidates": 4 * 2,
        "linking_basins": 2 * 2,
        "linking_contacts": 2 * 2,
        "linking_membranes": 2,
        **{f"linking_{step}": 4 * 2 for step in ("measure", "pieces", "shapes", "dendrites")},
    }
    assert one.finished["linking_membranes"][1] == "<results>/linking/membranes/grey/1.parquet"
    assert one.candidates(["remote"]) == {
        f"candidates/remote/{shard}": f"<results>/linking/candidates/remote/{shard}.parquet" for shard in "01"
    }


def test_sources_go_aside_with_the_size_of_a_voxel(plan):
    one = plan()
    aside = one.aside("membrane", "mask", shards=2)(of("grey"))
    assert aside.row == {"membrane": None, "mask": "e.zarr::mask", "voxel_nm": None}
    assert (aside.shards, aside.max_failed_fraction) == (2, 0.1)
    rows = one.rows_of(["bounded"], "membrane")
    assert rows == {"bounded": {"membrane": "b.zarr::membrane", "voxel_nm": None}}
    assert one.files_of(["grey", "bounded"], "membrane") == {"membrane/bounded": "b.zarr"}


def test_volumes_with_types_teach_the_forest_of_types(tmp_path):
    cut = {"segmentation": "s.zarr", "truth_links": "l.parquet", "truth_types": "t.parquet", "cut_from": "tissue"}
    rows = [{"volume": "first", **cut}, {"volume": "second", **cut}, {"volume": "plain", "segmentation": "p.zarr"}]

    def make(models=None):
        config = configuration.complete(
            {"results": str(tmp_path), "linking": {"train": ["first", "second"]}, "models": models or {}}
        )
        study = Study(config, REPOSITORY, (), tuple(VolumeRow(**row) for row in rows), (), {})
        return LinkingPlan(study, SynapsesPlan(study))

    one = make()
    assert one.typing_teachers == ["first", "second"]
    assert one.typing_model.trained == ["<results>/models/typing.skops"]
    assert one.unseen_types == ["<results>/models/typing_unseen.parquet"]
    assert one.taught_types(of("first")) == "t.parquet" and one.taught_types(of("plain")) == []
    # draws of one volume are one tissue, whose dendrites are kept apart together
    assert one.tissues(one.link_teachers) == {"first": "tissue", "second": "tissue"}
    assert one.row("plain").tissue == "plain"
    given = make({"typing": str(REPOSITORY / "workflow" / "models" / "typing.skops")})
    assert given.unseen_types == [] and given.taught_types(of("first")) == []


def test_the_training_of_membranes_begins_with_the_shipped_network_where_it_is_asked_to(plan):
    shipped, random = (plan(train=["bounded"], **keys) for keys in ({}, {"membranes": {"from_shipped": False}}))
    assert (
        shipped.membrane_start.given.endswith("workflow/models/membranes.safetensors") and shipped.membrane_start.stamp
    )
    assert random.membrane_start.given is None and not random.membrane_start.stamp
    assert (shipped.membrane_steps, random.membrane_steps) == (400, 2000)


def test_more_steps_of_the_training_of_membranes_take_more_time(plan):
    few, many = (plan(train=["bounded"], membranes={"training_steps": steps}) for steps in (100, 10_000))
    few, many = (one.membrane_crops(of("any"), None) for one in (few, many))
    assert many.held == few.held and many.total == pytest.approx(100 * few.total)
    assert pytest.approx(BATCH * np.prod(CROP) / 1e6, rel=0.05) == MILLIONS_A_STEP
