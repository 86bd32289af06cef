"""What the rules of the comparisons are told."""

import pytest

from spinome.workflow.plans.compare import ComparePlan

STACKS = [{"specimen": "p", "field": "f", "timepoint": "0", "day": 0, "path": "stack.tif"}]
TURNOVER = {"table": "twophoton/turnover", "formula": "gained/total ~ condition * day", "terms": ["condition"]}
OWN = {"table": "own.csv", "formula": "spines/length_um ~ condition"}


@pytest.fixture
def plan(study):
    def make(branches=("twophoton",), scored=None, **comparisons):
        return ComparePlan(study(stacks=STACKS, compare=comparisons), branches, scored or {})

    return make


def test_each_comparison_reads_its_table(plan, tmp_path):
    (tmp_path / "own.csv").write_text("spines\n")
    made = plan(turnover=TURNOVER, own=OWN)
    assert made.names == ["turnover", "own"]
    assert [made.table(name) for name in made.names] == ["<results>/twophoton/turnover.parquet", "own.csv"]
    # content of a table of one's own counts, that of a result is seen by Snakemake
    assert made.stamps("turnover") == [] and len(made.stamps("own")) == 1
    before = made.stamps("own")
    (tmp_path / "own.csv").write_text("spines\n1\n")
    assert plan(own=OWN).stamps("own") != before


def test_a_comparison_is_told_what_is_said_of_it_and_of_no_other(plan):
    asked = plan(turnover=TURNOVER, other=TURNOVER | {"terms": []}).asked("turnover")
    assert asked["name"] == "turnover" and asked["terms"] == ["condition"]
    assert asked == plan(turnover=TURNOVER).asked("turnover")
    assert "errors_of_truth" not in asked


def test_scores_are_read_where_they_are_asked_for(plan):
    measured = TURNOVER | {"errors_of_truth": True}
    assert plan(turnover=TURNOVER).pairs("turnover") == plan(turnover=TURNOVER).evaluation("turnover") == []
    made = plan(turnover=measured, scored={"twophoton": ["p.f"]})
    assert made.pairs("turnover") == ["<results>/twophoton/compared.parquet"] and made.evaluation("turnover") == []
    cells = {"table": "neurons/neurons", "formula": "spines/length_um ~ condition", "errors_of_truth": True}
    made = plan(branches=("neurons",), cells=cells, scored={"neurons": ["n"]})
    assert made.pairs("cells") == [] and made.evaluation("cells") == ["<results>/neurons/evaluation.tsv"]
    with pytest.raises(ValueError, match=r"compare\.turnover: errors_of_truth is set, but no sample"):
        plan(turnover=measured)


def test_answers_drawn_by_lot_are_read_where_they_are_asked_for(plan):
    asked = TURNOVER | {"errors_of_review": True}
    made = plan(turnover=asked, other=TURNOVER)
    assert made.answers("turnover") == ["<results>/review/sample/spine.parquet"] and made.answers("other") == []
    assert "errors_of_review" not in made.asked("turnover")
    cells = {"table": "census/cells", "formula": "spine_fraction ~ condition", "errors_of_review": True}
    assert plan(branches=("neurons",), cells=cells).answers("cells") == ["<results>/review/sample/label.parquet"]
    assert made.asked_about("label") == ["<results>/neurons/synapses.parquet"]
    for wrong, said in (
        ({"table": "spines", "formula": "volume_um3 ~ condition"}, "people are asked about what"),
        ({"errors_of_truth": True}, "both measure the same"),
    ):
        with pytest.raises(ValueError, match=said):
            plan(turnover=asked | wrong)


def test_a_table_of_a_branch_without_samples_is_told(plan):
    with pytest.raises(
        ValueError, match=r"compare\.turnover: the table twophoton/turnover is made by the branch twoph"
    ):
        plan(branches=("neurons",), turnover=TURNOVER)


def test_a_table_that_is_not_there_is_told(plan):
    with pytest.raises(ValueError, match=r"compare\.own: own\.csv: no such table"):
        plan(own=OWN)


def test_without_comparisons_there_are_no_tables(plan):
    assert plan().tables == {} and plan().results == []
    assert plan(turnover=TURNOVER).results[-1] == "<results>/compare/figures"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"formula": "gained"}, "is no comparison"),
        ({"table": "twophoton/turnovers"}, "neither a table of the results"),
        ({"terms": ["sex"]}, "sex is in terms or reference"),
        ({"reference": {"sex": "f"}}, "sex is in terms or reference"),
        ({"errors": {"r": {"rate": "recal", "value": 0.5, "number": 3}}}, "give one of precision"),
        ({"errors": {"r": {"rate": "recall", "value": 0.5}}}, "number: is missing"),
        ({"errors": {"r": {"rate": "recall", "value": 0.5, "number": 9}}, "probability": "score"}, "false twice"),
        ({"table": "spines", "errors_of_truth": True}, "state the rate under errors"),
        ({"planned_effect": -1.0}, "give a number above 0"),
    ],
)
def test_what_is_wrong_with_a_comparison_is_told_before_anything_runs(plan, change, told):
    with pytest.raises(ValueError, match=told) as error:
        plan(turnover=TURNOVER | change)
    assert "compare.turnover" in str(error.value)
