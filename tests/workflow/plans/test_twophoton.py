"""What the rules of the twophoton branch are told."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from spinome.workflow.plans.twophoton import TRUTH, TwophotonPlan, stack_rows


def row(timepoint, day, field="f", **columns):
    path = f"{field}{timepoint}.tif"
    return {"specimen": "s", "field": field, "timepoint": timepoint, "day": day, "path": path, **columns}


SERIES = [row("b", 3, truth_spines="truth.csv"), row("a", 5, dendrites="traced.csv"), row("c", 1, channel=1)]
OTHER = [row("x", 0, field="g", truth_spines="truth.csv", truth_dendrites="nodes.csv")]


class Wildcards(SimpleNamespace):
    """As Snakemake hands them to a function."""

    def items(self):
        return vars(self).items()


def stack(timepoint, field="f"):
    return Wildcards(specimen="s", field=field, timepoint=timepoint)


WHOLE = Wildcards(specimen="s", field="f")


def test_a_series_is_in_the_order_of_its_days(study):
    plan = TwophotonPlan(study(stacks=SERIES + OTHER))
    assert plan.series == ["s.f", "s.g"]
    assert plan.timepoints(WHOLE) == ["c", "b", "a"]
    assert plan.days(WHOLE) == [("c", 1.0), ("b", 3.0), ("a", 5.0)]


def test_files_are_named_and_never_paired_by_position(study):
    plan = TwophotonPlan(study(stacks=SERIES + OTHER))
    assert plan.of_series("stacks", "spines")(WHOLE) == {
        "stacks/c": "<results>/twophoton/register/s.f.c.zarr",
        "stacks/b": "<results>/twophoton/register/s.f.b.zarr",
        "stacks/a": "<results>/twophoton/register/s.f.a.zarr",
        "spines/c": "<results>/twophoton/measure/s.f.c.parquet",
        "spines/b": "<results>/twophoton/measure/s.f.b.parquet",
        "spines/a": "<results>/twophoton/measure/s.f.a.parquet",
    }
    rows = plan.study.stacks[3:]
    assert plan.per_stack("boxes", rows) == {"boxes/s.g.x": "<results>/twophoton/depth_track/s.g.x.boxes.parquet"}
    assert plan.failures[-1] == "<results>/failures/twophoton_register/s.g.x.parquet"


def test_where_a_detector_learns_from_answers_stacks_are_looked_through_again(study):
    plan = TwophotonPlan(study(stacks=SERIES, review={"learn": True}))
    again = plan.of_series("candidates", "boxes", "spines")(WHOLE)
    assert again["candidates/c"] == "<results>/review/detect/s.f.c.parquet"
    assert again["boxes/c"] == "<results>/review/detect/s.f.c.boxes.parquet"
    assert again["spines/c"] == "<results>/twophoton/measure/s.f.c.parquet"
    # what learns begins with what was found before
    first = plan.per_stack("candidates", plan.study.stacks)
    assert first["candidates/s.f.c"] == "<results>/twophoton/depth_track/s.f.c.parquet"
    assert plan.last_detector.answered and not plan.detector.answered
    before = TwophotonPlan(study(stacks=SERIES))
    assert before.of_series("boxes")(WHOLE)["boxes/c"].startswith("<results>/twophoton/depth_track")
    assert before.last_detector == before.detector


def test_what_the_sheet_says_of_a_stack(study):
    plan = TwophotonPlan(study(stacks=SERIES))
    assert plan.column("channel")(stack("c")) == 1
    assert plan.file("path")(stack("c")) == "fc.tif"
    assert plan.file("dendrites")(stack("c")) == [] and plan.file("dendrites")(stack("a")) == "traced.csv"
    assert stack_rows(plan.study.stacks[:1], "series", "timepoint") == {"s.f.b": {"series": "s.f", "timepoint": "b"}}


def test_the_truth_of_each_stack_is_named(study):
    plan = TwophotonPlan(study(stacks=SERIES + OTHER))
    assert plan.given(plan.study.stacks, *TRUTH) == {
        "truth_spines/s.f.b": "truth.csv",
        "truth_spines/s.g.x": "truth.csv",
        "truth_dendrites/s.g.x": "nodes.csv",
    }
    assert plan.stamps_of(plan.study.stacks[:1], *TRUTH) == plan.study.given(["truth.csv", None])


def test_a_stack_counts_by_its_content_and_the_group_in_it(study):
    rows = [row("a", 0) | {"path": "one.zarr::x"}, row("b", 1) | {"path": "one.zarr::y"}]
    plan = TwophotonPlan(study(stacks=rows))
    assert plan.file("path")(stack("a")) == "one.zarr"
    assert plan.dataset(stack("a")) == "x"
    before = plan.stamps("path")(stack("a"))
    assert before != plan.stamps("path")(stack("b"))
    Path("one.zarr").write_text("changed")
    again = TwophotonPlan(study(stacks=[row("a", 0) | {"path": "one.zarr::x"}]))
    assert again.stamps("path")(stack("a")) != before


def test_series_with_truth_that_teach_no_model_are_scored(study):
    plan = TwophotonPlan(study(stacks=SERIES + OTHER))
    assert [row.timepoint for row in plan.scored] == ["b", "x"]
    taught = TwophotonPlan(study(stacks=SERIES + OTHER, twophoton={"train": ["s.f"]}))
    assert [row.timepoint for row in taught.scored] == ["x"]
    taught = TwophotonPlan(study(stacks=SERIES + OTHER, twophoton={"train_judge": ["s.g"]}))
    assert [row.timepoint for row in taught.scored] == ["b"]


def test_the_judge_is_told_which_of_its_teachers_are_simulated(study):
    made = study(
        stacks=SERIES + OTHER,
        phantom={"specimens": {"s": {}}},
        twophoton={"train_judge": ["s.f"]},
    )
    told = TwophotonPlan(made).judge_teachers
    assert told == {"s.f.b": {"series": "s.f", "timepoint": "b", "simulated": True}}
    real = TwophotonPlan(study(stacks=SERIES + OTHER, twophoton={"train_judge": ["s.f"]})).judge_teachers
    assert not real["s.f.b"]["simulated"]


def test_models_ship_are_trained_or_are_given(study):
    shipped = TwophotonPlan(study(stacks=SERIES))
    assert shipped.detector.trained == [] and shipped.detector.given.endswith("workflow/models/detector.safetensors")
    assert shipped.judge.given.endswith("workflow/models/judge.skops")
    trained = TwophotonPlan(study(stacks=SERIES, twophoton={"train": ["s.f"], "train_judge": ["s.f"]}))
    assert trained.detector.trained == ["<results>/models/detector.safetensors"]
    assert trained.judge.trained == ["<results>/models/judge.skops"]
    # a session without a truth teaches nothing
    assert [row.timepoint for row in trained.trained] == [row.timepoint for row in trained.judge_trained] == ["b"]
    Path("own.skops").touch()
    given = TwophotonPlan(study(stacks=SERIES, models={"judge": "own.skops"}, twophoton={"train_judge": ["s.f"]}))
    assert given.judge.given == "own.skops" and given.judge.trained == [] and given.judge_trained == []


def test_given_boxes_need_no_model_and_are_not_judged(study):
    Path("boxes.csv").touch()
    plan = TwophotonPlan(study(stacks=SERIES, twophoton={"train": ["s.f"], "detect": {"boxes": "boxes.csv"}}))
    for model in (plan.detector, plan.judge):
        assert (model.trained, model.given) == ([], None)
    assert plan.across_sessions is None


def test_keys_that_a_step_does_not_read_do_not_count_for_it(study):
    track = {"max_shift_um": 4.0, "gate_um": 1.0}
    plan = TwophotonPlan(study(stacks=SERIES, twophoton={"track": track}))
    assert plan.across_sessions == track
    alone = {"detect": {"across_sessions": False}, "track": track}
    assert TwophotonPlan(study(stacks=SERIES, twophoton=alone)).across_sessions is None
    assert plan.training == {"steps": 700}
    with_fields = TwophotonPlan(study(stacks=SERIES, twophoton={"training": {"fields": ["views"]}}))
    assert with_fields.training == {"steps": 700, "pixel_um": [0.073]}


def test_training_begins_with_the_content_of_a_file(study):
    assert TwophotonPlan(study(stacks=SERIES)).start.stamp == ""
    for name in ("one.safetensors", "copy.safetensors"):
        Path(name).write_text("weights")
    plans = [
        TwophotonPlan(study(twophoton={"training": {"start": name}}))
        for name in ("one.safetensors", "copy.safetensors")
    ]
    assert plans[0].start.stamp == plans[1].start.stamp != ""
    assert plans[1].start.given == "copy.safetensors"


def corrections(*rows):
    header = ["specimen", "field", "decision", "timepoint", "z_um", "y_um", "x_um", "next_timepoint"]
    header += ["next_z_um", "next_y_um", "next_x_um", "question"]
    Path("said.tsv").write_text("\n".join("\t".join(map(str, cells)) for cells in [header, *rows]) + "\n")
    return {"track": {"corrections": "said.tsv"}}


def test_a_decision_reaches_the_stack_or_the_series_that_it_is_about(study):
    section = corrections(
        ["s", "f", "no spine", "b", 1, 2, 3, "", "", "", "", "why?"],
        ["s", "f", "same", "c", 1, 2, 3, "b", 1, 2, 3, ""],
        ["s", "f", "", "a", 1, 2, 3, "", "", "", "", "gained here"],
    )
    plan = TwophotonPlan(study(stacks=SERIES + OTHER, twophoton=section))
    (decided,) = plan.corrections_of("no spine", "missed spine")(stack("b"))
    assert (decided["decision"], decided["z_um"]) == ("no spine", 1.0)
    # what a person is asked does not count
    assert "question" not in decided
    assert plan.corrections_of("no spine", "missed spine")(stack("a")) == []
    (linked,) = plan.corrections_of("same", "different")(WHOLE)
    assert linked["next_timepoint"] == "b"
    assert plan.corrections_of("same", "different")(Wildcards(specimen="s", field="g")) == []


def test_a_correction_of_no_session_is_named(study):
    section = corrections(["s", "f", "no spine", "z", 1, 2, 3, "", "", "", "", ""])
    with pytest.raises(ValueError, match=r"said\.tsv: names s\.f\.z, which is no row"):
        TwophotonPlan(study(stacks=SERIES, twophoton=section))


@pytest.mark.parametrize("key", ["train", "train_judge"])
def test_a_series_without_truth_cannot_teach(study, key):
    with pytest.raises(ValueError, match=rf"twophoton\.{key} names s\.q without truth_spines.*: s\.f"):
        TwophotonPlan(study(stacks=SERIES, twophoton={key: ["s.f", "s.q"]}))


def test_two_sessions_of_one_day_are_named_with_the_sheet(study):
    with pytest.raises(ValueError, match=r"stacks\.tsv: s\.f: timepoints a and b are both of day 5"):
        TwophotonPlan(study(stacks=[row("a", 5), row("b", 5)]))


def test_a_study_without_stacks_plans_nothing(study):
    plan = TwophotonPlan(study())
    assert plan.series == plan.failures == plan.scored == plan.corrections == []
