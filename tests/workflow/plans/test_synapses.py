"""What the rules of the synapses branch are told."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from spinome import configuration
from spinome.review.learn_network import MOST_CUBOIDS
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.samples import VolumeRow
from spinome.workflow.sizes import UNKNOWN_VOLUME, Sizes
from spinome.workflow.study import Study

REPOSITORY = Path(__file__).parents[3]
VOLUMES = [
    {"volume": "found", "image": "em.zarr::image", "membrane": "em.zarr::membrane", "truth_synapses": "em.zarr::truth"},
    {"volume": "taught", "image": "t.zarr::image", "truth_synapses": "t.zarr::truth", "mask": "t.zarr::mask"},
    {"volume": "given", "image": "g.zarr::image", "synapses": "g.zarr::synapses", "voxel_z_nm": 40, "voxel_y_nm": 8,
     "voxel_x_nm": 8},
    {"volume": "shapes", "segmentation": "s.zarr"},
]  # fmt: skip
PUBLISHED = {"address": "https://example.org/net.chkpt", "sha256": "A1" * 32}


@pytest.fixture
def plan(tmp_path):
    """A function that plans these volumes with keys of the branch."""

    def make(models=None, learn=False, **keys):
        config = configuration.complete(
            {
                "results": str(tmp_path / "results"),
                "synapses": {"shards": 2} | keys,
                "models": models or {},
                "review": {"learn": learn},
            }
        )
        return SynapsesPlan(Study(config, REPOSITORY, (), tuple(VolumeRow(**row) for row in VOLUMES), (), {}))

    return make


def of(volume):
    return SimpleNamespace(volume=volume)


def test_volumes_are_those_with_an_image_or_with_synapses(plan):
    assert plan().volumes == ["found", "taught", "given"]
    assert plan().detected == ["found", "taught"]
    assert plan().is_detected(of("found")) and not plan().is_detected(of("given"))


def test_volumes_that_are_trained_on_are_not_scored(plan):
    assert plan().scored == ["found", "taught"]
    taught = plan(train=["taught"])
    assert taught.trained == ["taught"] and taught.scored == taught.scored_alike == ["found"]


def test_where_a_judge_learns_from_answers_nothing_is_scored(plan):
    one = plan(learn=True)
    assert one.learned(of("found")) == "<results>/review/learn_synapses/judge.json"
    # given synapses are not judged
    assert one.learned(of("given")) == [] and plan().learned(of("found")) == []
    assert one.scored == [] and one.model == plan().model
    assert sorted(one.parts(one.detected)) == [f"parts/{name}/{n}" for name in ("found", "taught") for n in (0, 1)]


def test_where_the_network_learns_from_answers_cuboids_are_looked_through_again(plan, tmp_path):
    one = plan(learn=True)
    again = [f"<results>/review/detect_synapses/found/{shard}.parquet" for shard in "01"]
    assert one.found(of("found")) == again and one.learned_network(of("found"))
    assert one.found_in_shard(SimpleNamespace(volume="found", shard="1")) == again[1]
    assert one.finished["review_detect_synapses"][:2] == again
    assert "<results>/failures/review_detect_synapses/taught/1.parquet" in one.failures
    # what is given stays, and forests do not learn
    before = [f"<results>/synapses/detect/given/{shard}.parquet" for shard in "01"]
    assert one.found(of("given")) == before and one.learned_network(of("given")) == []
    forest = plan(learn=True, models={"synapses": "m.skops"})
    assert not forest.relearns and forest.learns and "review_detect_synapses" not in forest.finished
    assert forest.found(of("found"))[0] == plan().found(of("found"))[0] == before[0].replace("given", "found")


def test_learning_from_answers_holds_the_cuboids_that_it_learns_from(plan, monkeypatch):
    one = plan(learn=True, cuboid=[10, 100, 100])
    monkeypatch.setattr(Sizes, "volume", lambda self, row: {"found": 0.2, "taught": 0.3, "given": 9.0}[row.volume])
    assert one.learning_size(None, None) == (pytest.approx(0.5), pytest.approx(0.5))
    monkeypatch.setattr(Sizes, "volume", lambda self, row: 400.0)
    assert one.learning_size(None, None) == (pytest.approx(MOST_CUBOIDS * 0.1), 800)


def test_a_volume_without_truth_is_none_to_train_on_unless_a_model_is_given(plan):
    with pytest.raises(ValueError, match=r"synapses\.train names given: a training volume is a row"):
        plan(train=["given", "taught"])
    assert not plan(train=["given"], models={"synapses": "m.skops"}).model.trained


def test_a_model_is_trained_given_or_ships(plan, tmp_path):
    assert plan(train=["taught"]).model.trained == ["<results>/models/synapses.safetensors"]
    assert plan(train=["taught"]).model.stamp == ""
    shipped = plan().model
    assert not shipped.trained and Path(shipped.given).name == "synapses.safetensors"
    copies = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    for copy in copies:
        copy.write_bytes(Path(shipped.given).read_bytes())
    assert {plan(models={"synapses": str(copy)}).model.stamp for copy in copies} == {shipped.stamp}


def test_a_model_that_is_named_by_its_address_is_fetched_translated_and_fitted_to_each_volume(plan):
    given = plan(models={"synapses": PUBLISHED})
    assert (given.kind, given.adapts) == ("network", True)
    assert given.published == [f"<resources>/public/synapses-{'a1' * 8}"]
    assert given.study.public_files == {
        f"synapses-{'a1' * 8}": {"url": PUBLISHED["address"], "checksum": f"sha256:{'a1' * 32}"}
    }
    assert given.translated == ["<results>/models/synapses_published.safetensors"]
    assert given.model_made(of("found")) == ["<results>/synapses/adapt/found.safetensors"]
    # training is for those who have no model
    assert plan(models={"synapses": PUBLISHED}, train=["taught"]).model.published
    own = plan(train=["taught"])
    assert own.published == own.translated == [] and own.checksum == ""


def test_the_file_of_a_given_model_says_its_kind(plan):
    assert plan(models={"synapses": "m.skops"}).kind == "forest"
    assert plan(models={"synapses": "m.safetensors"}, classify={"kind": "forest"}).kind == "network"
    assert plan(models={"synapses": "m.skops"}).suffix == ".skops"


@pytest.mark.parametrize(
    "key",
    [{"contrast": 2.0}, {"vesicle_threshold": 1.2}, {"original_features": True}, {"trees": 5}, {"depth": 3},
     {"voxels_per_class": 700}, {"marked_vesicles": {"found": "marked.tsv"}}],
    ids=lambda key: next(iter(key)),
)  # fmt: skip
def test_keys_of_a_forest_plan_nothing_while_the_network_is_in_use(plan, key):
    def counted(plan):
        return plan.detection(of("found")), plan.learning, plan.recipe, plan.profile, plan.marked

    assert counted(plan(classify=key)) == counted(plan())
    forest = [plan(classify={"kind": "forest"} | keys) for keys in (key, {})]
    assert counted(forest[0]) != counted(forest[1])


def test_keys_of_the_network_plan_nothing_while_a_forest_is_in_use(plan):
    forests = [plan(classify={"kind": "forest"} | keys) for keys in ({}, {"steps": 7}, {"from_shipped": False})]
    assert len({(str(one.learning), str(one.recipe), one.start.stamp) for one in forests}) == 1
    networks = [plan(classify=keys) for keys in ({}, {"steps": 7}, {"from_shipped": False})]
    assert len({(str(one.learning), one.start.stamp) for one in networks}) == 3


def test_vesicles_are_marked_in_volumes_with_an_image(plan):
    forest = plan(classify={"kind": "forest", "marked_vesicles": {"found": "f.tsv"}})
    assert forest.marked == {"found": "f.tsv"} and forest.profile == ["<results>/synapses/vesicle_profile.tsv"]
    with pytest.raises(ValueError, match=r"marked_vesicles names nobody, shapes, which is no volume with an image"):
        plan(classify={"kind": "forest", "marked_vesicles": {"shapes": "s.tsv", "nobody": "n.tsv", "found": "f.tsv"}})


def test_a_classifier_is_shown_the_columns_that_it_looks_at(plan):
    assert plan().detection_files(of("found")) == ["em.zarr"]
    assert plan().detection_aside(of("found")).row == {
        "image": "em.zarr::image", "synapses": None, "voxel_nm": None}  # fmt: skip
    forest = plan(classify={"kind": "forest"})
    assert forest.detection_aside(of("found")).row["membrane"] == "em.zarr::membrane"
    assert forest.detection_stamps(of("found")) != plan().detection_stamps(of("found"))


def test_given_synapses_are_taken_as_they_are(plan):
    plans = [plan(merge={"threshold": 0.4, "min_sections": 3}), plan(models={"synapses": "m.skops"})]
    for one in plans:
        assert one.detection(of("given")) == {} and one.merging(of("given")) == {"connectivity": 18}
        assert one.model_stamp(of("given")) == "" and one.model_made(of("given")) == []
        assert one.detection_files(of("given")) == ["g.zarr"]
        assert one.detection_aside(of("given")).row == {"synapses": "g.zarr::synapses", "voxel_nm": (40, 8, 8)}
        assert one.grid_stamps(of("given")) == one.stamps_of(["given"], "synapses")
    assert plans[0].detection(of("found")) == {"threshold": 0.4, "recipe": {}}
    assert plans[0].merging(of("found"))["min_sections"] == 3 and "threshold" not in plans[0].merging(of("found"))
    assert plan(train=["taught"]).model_made(of("found")) == ["<results>/models/synapses.safetensors"]


def test_a_network_from_outside_is_fitted_to_each_volume(plan):
    shipped, trained, forest = plan(), plan(train=["taught"]), plan(classify={"kind": "forest"})
    assert shipped.adapts and not trained.adapts and not forest.adapts
    assert shipped.model_made(of("found")) == ["<results>/synapses/adapt/found.safetensors"]
    # the content of the fitted network counts, which is an input
    assert shipped.model_stamp(of("found")) == "" and forest.model_stamp(of("found"))
    assert forest.model_made(of("found")) == [] == shipped.model_made(of("given"))
    assert shipped.models_of(["found", "given"]) == {"model/found": "<results>/synapses/adapt/found.safetensors"}


def test_a_mask_is_made_where_it_is_asked_for_and_none_is_given(plan):
    assert plan().masked == []
    assert plan(mask={"make": True}).masked == ["found", "given"]
    assert plan(mask={"make": True}).is_masked(of("found")) and not plan(mask={"make": True}).is_masked(of("taught"))


def test_the_sweep_runs_on_scored_volumes_where_it_is_asked_for(plan):
    assert plan().swept == []
    assert plan(sweep={"run": True}, train=["taught"]).swept == ["found"]


def test_every_shard_of_every_volume_has_its_tables(plan):
    one = plan()
    assert one.shards == ["0", "1"]
    assert len(one.failures) == len(set(one.failures)) == 2 * 3 * 2
    assert "<results>/failures/synapses_density/given/1.parquet" in one.failures
    assert {step: len(set(tables)) for step, tables in one.finished.items()} == {
        "synapses_detect": 3 * 2,
        "synapses_density": 3 * 2,
    }
    assert one.finished["synapses_detect"][1] == "<results>/synapses/detect/found/1.parquet"
    assert one.counts()["counts/found/1"] == "<results>/synapses/density/found/1.parquet"
    assert one.ids() == {f"ids/{shard}": f"<results>/synapses/ids/{{volume}}/{shard}.npz" for shard in "01"}


def test_a_label_volume_is_whole_when_all_of_its_shards_are_painted(plan):
    assert plan().painted("found") == [f"<results>/synapses/density/found/{shard}.parquet" for shard in "01"]


def test_a_job_is_as_large_as_the_cuboid_with_its_halo_and_goes_through_its_share_of_the_volume(plan):
    one = plan(cuboid=[16, 128, 128], shards=4)
    # nothing is known of an empty file
    assert one.detection_size(of("found"), []) == (36 * 268 * 268 / 1e6, UNKNOWN_VOLUME / 4)
    assert one.cuboids("synapses")(of("found"), []).held == 16 * 128 * 128 / 1e6
