"""Questions over results that come and go, and what they show."""

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reviewed_study import COUNT, make_study
from spinome.configuration import complete
from spinome.configuration.files import read_settings
from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table, write_table
from spinome.linking.typing import read_types
from spinome.neurons.spines import PAIR_PLACES
from spinome.review.answers import Answers
from spinome.review.catalogue import MOVABLE, Catalogue, moved
from spinome.review.questions import answered_by
from spinome.twophoton.corrections import CORRECTION_COLUMNS
from spinome.workflow.reviewed import export, import_table, sources_of
from spinome.workflow.study import read_study


@pytest.fixture(scope="module")
def made(tmp_path_factory, sphere):
    return make_study(tmp_path_factory.mktemp("study"), sphere)


@pytest.fixture
def study(made, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(made.parent, folder)
    config = (folder / "config.yaml").read_text().replace(str(made.parent), str(folder))
    (folder / "config.yaml").write_text(config)
    stacks = (folder / "stacks.tsv").read_text().replace(str(made.parent), str(folder))
    (folder / "stacks.tsv").write_text(stacks)
    return read_study(complete(read_settings(folder / "config.yaml")), Path(__file__).parents[2])


def pixels(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_every_kind_of_question_has_its_pictures_and_answers(study):
    catalogue = Catalogue(sources_of(study))
    questions = catalogue.questions()
    counts = questions.groupby("kind").size().to_dict()
    expected = dict.fromkeys(["track", "synapse", "link", "segment", "label", "patch", "one spine"], COUNT)
    assert counts == {"spine": 3 * COUNT, "same spine": 2 * COUNT, **expected}
    words = {}
    for kind, name in questions.groupby("kind")["id"].first().items():
        question = catalogue.question(name)
        assert question["views"] and all(view["image"].startswith("data:image/") for view in question["views"])
        words[kind] = [answer["word"] for answer in question["answers"]]
        assert question["row"]["kind"] == kind and question["now"] is not None
    assert words["link"] == ["shaft 1 (60%)", "shaft 2 (20%)", "none of them", "no orphan", "not sure"]
    assert words["track"] == ["one spine", "another from session 1 on", "another from session 2 on"]
    assert words["one spine"] == ["one spine", "two spines", "not sure"]
    assert words["segment"] == ["spine", "shaft", "axon", "soma", "glia", "something else", "not sure"]
    assert words["label"] == words["patch"] == ["spine", "shaft", "soma", "not sure"]


def test_a_synapse_that_the_run_drops_is_asked_about_and_has_no_outline(study):
    objects = read_table(Path(study.results) / "synapses" / "objects.parquet")
    candidates = objects.drop(columns="volume").assign(synapse=np.where(objects.index < 3, 0, objects["synapse"]))
    candidates["y_nm"] += 1.0
    write_table(candidates, Path(study.results) / "synapses" / "candidates" / "v.parquet")
    catalogue = Catalogue(sources_of(study))
    asked = catalogue.questions()
    dropped = asked[(asked["kind"] == "synapse") & (asked["now"] == "no synapse")]
    assert len(dropped) == 3 and (asked["kind"] == "synapse").sum() == COUNT + 3
    question = catalogue.question(dropped["id"].iloc[0])
    assert question["now"] == 1 and question["row"]["subject"] is None
    kept = catalogue.question(asked.loc[asked["kind"] == "synapse", "id"].iloc[0])
    outlined, plain = (one["views"][0]["image"] for one in (kept, question))
    assert pixels(plain).shape == pixels(outlined).shape


def test_the_middle_of_a_picture_is_the_place_of_its_question(study):
    catalogue = Catalogue(sources_of(study))
    questions = catalogue.questions()
    for row in questions[questions["kind"] == "spine"].iloc[[0, 57, 130]].itertuples():
        view = catalogue.question(row.id)["views"][0]
        side = view["side_px"]
        picture = pixels(view["image"]).reshape(-1, side, side)[view["first"]]
        # blocks of 0.7 um in a grid of 2 um, so the middle of the picture is bright and half a grid away is dark
        step = int(1 / view["um_per_px"])
        assert picture[side // 2, side // 2] > 200 and picture[side // 2, side // 2 + step] < 60
        assert picture[side // 2 + step, side // 2] < 60
        assert view["z_um"] + view["first"] * view["step_um"] == row.z_um
    for row in questions[questions["kind"] == "link"].iloc[[0, 50]].itertuples():
        question = catalogue.question(row.id)
        view = question["views"][0]
        side = view["side_px"]
        over = pixels(view["overlay"]).reshape(-1, side, side, 4)[view["first"]]
        assert over[side // 2, side // 2].tolist()[:3] == [255, 255, 255] and over[side // 2, side // 2, 3] > 0
        # the orphan is 12 voxels wide
        assert 11 <= (over[side // 2, :, :3] == 255).all(axis=1).sum() * view["um_per_px"] / 0.008 <= 13


def test_an_answer_about_a_track_says_something_of_its_links(study):
    catalogue = Catalogue(sources_of(study))
    questions = catalogue.questions()
    track = questions[questions["kind"] == "track"].iloc[7]
    asked = catalogue.question(track["id"])
    assert [view["unit"] for view in asked["views"]] == ["m.f.0", "m.f.1", "m.f.2"]
    said = [[(row["unit"], row["next_unit"], row["answer"]) for row in one["rows"]] for one in asked["answers"]]
    first, second = ("m.f.0", "m.f.1"), ("m.f.1", "m.f.2")
    assert said == [
        [(*first, "same"), (*second, "same")],
        [(*first, "different")],
        [(*first, "same"), (*second, "different")],
    ]
    # each of them is found again as an answer to the question about two sessions
    answers = Answers(study.config["review"]["answers"])
    answers.append_all([row | {"subject": 7, "who": "ann", "drawn": "active"} for row in asked["answers"][2]["rows"]])
    pairs = questions[questions["kind"] == "same spine"].reset_index(drop=True)
    about = answered_by(pairs, answers.read())
    assert about["answer"].tolist() == ["same", "different"]
    assert pairs.loc[about.index, "subject"].tolist() == [7, 7]


def test_a_movable_view_shows_the_objects_of_its_question(study):
    catalogue = Catalogue(sources_of(study))
    questions = catalogue.questions()
    scenes = {kind: catalogue.scene(name) for kind, name in questions.groupby("kind")["id"].first().items()}
    assert [kind for kind, scene in scenes.items() if scene is None] == ["same spine", "spine", "track"]
    assert [kind for kind in scenes if scenes[kind] is not None] == sorted(MOVABLE)
    link = scenes["link"]
    # the orphan is the last one, in white
    assert link.colours[-1] == "#FFFFFF" and (link.numbers == len(link.colours)).sum() == 6 * 10 * 12
    assert (scenes["synapse"].numbers == 1).sum() == (scenes["segment"].numbers == 1).sum() == 6 * 10 * 12
    # the mark of a patch lies on the surface, where the middle of its spine does not
    vertices = read_mesh(study.neurons[0].mesh).vertices
    patch = questions[questions["kind"] == "patch"].iloc[0]
    assert np.abs(vertices - patch[["x_um", "y_um", "z_um"]].to_numpy(float) * 1000).max(axis=1).min() > 50
    assert (vertices == scenes["patch"].place_nm[::-1]).all(axis=1).any()


def test_a_candidate_without_a_number_is_shown_without_an_object(study, monkeypatch):
    catalogue = Catalogue(sources_of(study))
    questions = catalogue.questions()
    row = questions.index[questions["kind"] == "synapse"][0]
    dropped = questions.assign(subject=questions["subject"].where(questions.index != row))
    monkeypatch.setattr(catalogue, "questions", lambda: dropped)
    scene = catalogue.scene(questions["id"][row])
    assert scene.grey.size and not scene.numbers.any()


def test_results_that_are_made_anew_are_read_anew(study):
    catalogue = Catalogue(sources_of(study))
    before = catalogue.questions()
    assert catalogue.questions() is before
    path = Path(study.results) / "synapses" / "objects.parquet"
    objects = read_table(path)
    write_table(objects.assign(x_nm=objects["x_nm"] + 1000)[1:], path)
    gone = before.loc[before["kind"] == "synapse", "id"].iloc[0]
    assert catalogue.row(gone) is None
    with pytest.raises(KeyError):
        catalogue.question(gone)
    assert (catalogue.questions()["kind"] == "synapse").sum() == COUNT - 1
    shutil.rmtree(study.results)
    assert catalogue.questions().empty


def test_results_of_another_version_are_named_and_the_others_asked_about(study):
    catalogue = Catalogue(sources_of(study))
    path = Path(study.results) / "synapses" / "objects.parquet"
    objects = read_table(path)
    for broken in (objects.drop(columns="score"), objects.assign(score="high")):
        write_table(broken, path)
        left = {"spine", "same spine", "track", "link", "segment", "label", "patch", "one spine"}
        assert set(catalogue.questions()["kind"]) == left
        (fault,) = catalogue.faults()
        assert fault.startswith(f"{path}: is not asked about") and "run the study again" in fault
    path.write_bytes(b"no table")
    assert str(path) in catalogue.faults()[0] and len(catalogue.questions())
    write_table(objects, path)
    assert catalogue.faults() == [] and "synapse" in set(catalogue.questions()["kind"])


def test_a_click_into_a_projection_takes_the_brightest_slice(study):
    catalogue = Catalogue(sources_of(study))
    # blocks lie in slices 5 to 7
    assert 5 <= catalogue.depth_at("m.f.0", np.array([10.0, 4.0, 4.0])) <= 7


def test_answers_go_out_and_come_in_as_tables(study, tmp_path):
    rows = [("v", 12, 1), ("v", 13, 0)]
    table = tmp_path / "decisions.tsv"
    write_table(pd.DataFrame(rows, columns=["volume", "orphan", "shaft"]), table)
    assert import_table(study, table, "ann") == 2
    points = pd.DataFrame({"x_nm": [1000.0], "y_nm": [2000.0], "z_nm": [3000.0], "tag": ["soma"]})
    write_table(points, tmp_path / "points.tsv")
    with pytest.raises(ValueError, match=r"points.tsv: say by --neuron whose synapses these are; the study has n"):
        import_table(study, tmp_path / "points.tsv", "ann")
    assert import_table(study, tmp_path / "points.tsv", "ann", "n") == 1
    judged = read_table(Path(study.results) / "twophoton" / "judge" / "m.f.parquet")
    form = judged[judged["accepted"]][:1].assign(decision="no spine")[CORRECTION_COLUMNS[:7]]
    corrections = form.assign(next_timepoint="", next_z_um="", next_y_um="", next_x_um="")
    write_table(corrections, tmp_path / "corrections.tsv")
    assert import_table(study, tmp_path / "corrections.tsv", "ann") == 1
    with pytest.raises(ValueError, match=r"odd.tsv: is no table of corrections"):
        write_table(points[["tag"]], tmp_path / "odd.tsv")
        import_table(study, tmp_path / "odd.tsv", "ann")
    with pytest.raises(ValueError, match=r"decisions.tsv: decisions name 999"):
        write_table(pd.DataFrame([("v", 999, 1)], columns=["volume", "orphan", "shaft"]), table)
        import_table(study, table, "ann")
    # a patch is written where its mark was shown, and of a neuron that left the sheet nothing is
    patch = {"kind": "patch", "answer": "shaft", "who": "ann", "drawn": "active", "z_um": 5.0, "y_um": 5.0, "x_um": 8.9}
    Answers(study.config["review"]["answers"]).append_all([patch | {"unit": "n"}, patch | {"unit": "gone"}])
    vertices = read_mesh(study.neurons[0].mesh).vertices
    near = vertices[np.linalg.norm(vertices - np.array([8900, 5000, 5000]), axis=1).argmin()]
    points = pd.concat([points, pd.DataFrame([[*near.round(3), "shaft"]], columns=points.columns)], ignore_index=True)
    pair = dict(zip([*PAIR_PLACES], [1000.0, 2000.0, 3000.0, 1500.0, 2500.0, 3500.0]))
    pairs = pd.DataFrame([{"neuron": "n", **pair, "decision": "two"}])
    write_table(pairs, tmp_path / "pairs.tsv")
    assert import_table(study, tmp_path / "pairs.tsv", "ann") == 1
    with pytest.raises(ValueError, match=r"pairs.tsv: names the neuron m"):
        write_table(pairs.assign(neuron="m"), tmp_path / "pairs.tsv")
        import_table(study, tmp_path / "pairs.tsv", "ann")
    types = pd.DataFrame([("v", 14, "axon"), ("v", 1, "shaft")], columns=["volume", "segment", "type"])
    for odd, words in (("v 999 axon", "types name 999"), ("v 14 bone", "'bone' is no type of a segment")):
        write_table(pd.DataFrame([odd.split()], columns=types.columns), tmp_path / "types.tsv")
        with pytest.raises(ValueError, match=f"types.tsv: {words}"):
            import_table(study, tmp_path / "types.tsv", "ann")
    write_table(types, tmp_path / "types.tsv")
    assert import_table(study, tmp_path / "types.tsv", "ann") == 2
    said = export(study, tmp_path / "out")
    found = read_table(tmp_path / "out" / "truth_types" / "v.tsv")
    pd.testing.assert_frame_equal(found.sort_values("type", ignore_index=True), types)
    # as the sheet takes it
    assert read_types(str(tmp_path / "out" / "truth_types" / "v.tsv"))["type"].tolist() == found["type"].tolist()
    pd.testing.assert_frame_equal(read_table(tmp_path / "out" / "spine_decisions.tsv"), pairs, check_dtype=False)
    assert read_table(tmp_path / "out" / "decisions.tsv").to_numpy().tolist() == [list(row) for row in rows]
    pd.testing.assert_frame_equal(read_table(tmp_path / "out" / "truth_labels" / "n.tsv"), points)
    assert read_table(tmp_path / "out" / "corrections.tsv")["decision"].tolist() == ["no spine"]
    assert len(said) == 6 and all(str(tmp_path / "out") in line for line in said[:5])
    assert said[5] == "1 labelled patches are left out: the sheet has their neurons no more"


def test_a_place_moves_as_the_spines_around_it_do():
    place = [(s, t, 1.0, 2.0 * s + (3.0 if t == "1" else 0.0), 0.0) for s in range(4) for t in ("0", "1")]
    spines = pd.DataFrame(place, columns=["spine", "timepoint", "z_um", "y_um", "x_um"])
    assert moved(np.array([1.0, 5.0, 0.0]), spines, "0", "1").tolist() == [1.0, 8.0, 0.0]
    assert moved(np.array([1.0, 5.0, 0.0]), spines, "0", "2") is None
