"""The table of the design counts animals and samples once each."""

import pandas as pd

from spinome.census.specimens import by_level
from spinome.report.design import NOT_GIVEN, summarise_design

DESIGN = {
    "columns": {"animal": "string", "condition": "string", "age_days": "number"},
    "samples": {
        "stacks/m1.a.0": {"animal": "1", "condition": "control", "age_days": 30.0},
        "stacks/m1.a.1": {"animal": "1", "condition": "control", "age_days": 37.0},
        "stacks/m1.b.0": {"animal": "1", "condition": "control"},
        "stacks/m2.a.0": {"animal": "2", "condition": "enriched"},
        "volumes/v": {"animal": "2", "condition": "enriched"},
        "volumes/w": {"animal": "3"},
    },
    "remarks": ["volumes.tsv: condition is not given for 1 of 2 rows with an animal"],
}
SPINES = pd.DataFrame(
    {
        "spine": ["a", "b", "c", "d", "e"],
        "track": ["t", "t", None, None, None],
        "animal": ["1", "1", "2", "3", None],
        "condition": ["control", "control", "enriched", None, None],
    }
)


def test_levels_with_their_animals_samples_and_spines():
    tables = summarise_design(DESIGN, by_level(SPINES, ["animal", "condition"]))
    rows = tables["Animals and samples per level"]
    assert list(rows.columns) == ["factor", "level", "animals", "series", "volumes", "spines"]
    assert rows.to_numpy().tolist() == [
        ["condition", "control", 1, 2, 0, 1],
        ["condition", "enriched", 1, 1, 1, 1],
        ["condition", NOT_GIVEN, 1, 0, 1, 1],
    ]
    (covariate,) = tables["Covariates over samples"].to_dict("records")
    assert covariate == {"covariate": "age_days", "samples": 2, "lowest": 30.0, "median": 33.5, "highest": 37.0}
    assert tables["What is not given"]["remark"].tolist() == DESIGN["remarks"]


def test_animals_alone_are_counted_too():
    design = {"columns": {"animal": "string"}, "samples": {"neurons/n": {"animal": "7"}}, "remarks": []}
    spines = pd.DataFrame({"spine": ["a"], "track": [None], "animal": ["7"]})
    (table,) = summarise_design(design, by_level(spines, ["animal"])).values()
    assert table.to_dict("records") == [{"factor": "animal", "level": "7", "animals": 1, "neurons": 1, "spines": 1}]
