"""The design of a study: what sheets may say, what is refused, and that no unit is computed again for it."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from spinome.census import counts
from spinome.configuration import complete
from spinome.neurons import morphometry, synapses, tables
from spinome.synapses.density import blocks
from spinome.synapses.objects import merge
from spinome.twophoton import corrections, dendrites, depth_track, dynamics, measure, sessions, size_changes
from spinome.workflow.design import TABLE_COLUMNS
from spinome.workflow.samples import VolumeRow, read_sheet
from spinome.workflow.study import read_study

REPOSITORY = Path(__file__).parents[2]
HEADERS = {
    "stacks": "specimen field timepoint day path animal",
    "volumes": "volume image animal",
    "neurons": "neuron mesh animal",
    "cells": "root_id cell_class animal",
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return a function that reads a study: of each sheet the columns after the required ones, and its rows."""
    monkeypatch.chdir(tmp_path)
    for file in ("a.tif", "b.tif", "v.h5", "m.npz", "n.npz"):
        Path(file).touch()

    def read(design, **sheets):
        for kind, (columns, *rows) in sheets.items():
            lines = [f"{HEADERS[kind]} {columns}".split(), *(row.split(",") for row in rows)]
            Path(f"{kind}.tsv").write_text("".join("\t".join(cells) + "\n" for cells in lines))
        samples = {kind: f"{kind}.tsv" for kind in sheets}
        return read_study(complete({"samples": samples, "design": design}), REPOSITORY)

    return read


def refuse(study, design, *expected, **sheets):
    with pytest.raises(ValueError) as error:
        study(design, **sheets)
    (line,) = str(error.value).splitlines()
    for text in expected:
        assert text in line
    return line


CONDITION = {"factors": ["condition"]}
TWO = ("s1,f,0,0,a.tif,m1,control", "s2,f,0,0,b.tif,m2,enriched")


def test_without_a_design_there_is_none(study):
    found = study({}, stacks=("", "s1,f,0,0,a.tif,"))
    assert found.design.of("stacks") == {"columns": {}, "samples": {}} and not found.design.remarks


def test_animals_alone_are_a_design(study):
    found = study({}, volumes=("", "v,v.h5,m1"))
    assert found.design.of("volumes") == {"columns": {"animal": "string"}, "samples": {"volumes/v": {"animal": "m1"}}}


def test_each_sample_has_its_levels_and_numbers(study):
    design = CONDITION | {"covariates": ["age_days"]}
    found = study(
        design, stacks=("age_days condition", "s1,f,0,0,a.tif,m1,40.5,control", "s2,f,0,0,b.tif,m2,,enriched")
    )
    assert found.design.of("stacks", "neurons") == {
        "columns": {"animal": "string", "condition": "string", "age_days": "number"},
        "samples": {
            "stacks/s1.f.0": {"animal": "m1", "condition": "control", "age_days": 40.5},
            "stacks/s2.f.0": {"animal": "m2", "condition": "enriched"},
        },
    }
    assert found.design.remarks == ["stacks.tsv: age_days is not given for 1 of 2 rows with an animal"]


def test_what_one_sheet_says_of_an_animal_holds_in_the_others(study):
    found = study(CONDITION, stacks=("condition", *TWO), neurons=("", "n,n.npz,m2"), cells=("", "5,L2/3,m1"))
    assert found.design.of("neurons", "cells")["samples"] == {
        "neurons/n": {"animal": "m2", "condition": "enriched"},
        "cells/5": {"animal": "m1", "condition": "control"},
    }


def test_a_factor_within_animals_is_that_of_the_row_alone(study):
    design = {"factors": ["layer"], "within_animal": ["layer"]}
    found = study(design, stacks=("layer", "s1,f,0,0,a.tif,m1,L1", "s1,g,0,0,b.tif,m1,L5"), volumes=("", "v,v.h5,m1"))
    samples = found.design.of("stacks", "volumes")["samples"]
    assert [values.get("layer") for values in samples.values()] == ["L1", "L5", None]
    assert found.design.remarks == ["volumes.tsv: layer is not given for 1 of 1 rows with an animal"]


def test_rows_without_an_animal_take_no_part_and_are_told_of(study):
    found = study(CONDITION, stacks=("condition", *TWO), volumes=("", "v,v.h5,"))
    assert not found.design.of("volumes")["samples"]
    assert found.design.remarks == ["volumes.tsv: 1 of 1 rows have no animal and take no part in the design"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (("s1,f,0,0,a.tif,m1,control", "s2,f,0,0,b.tif,m2,control"),
         ["stacks.tsv: row 2, column condition", "'control' is the one level", "nothing to compare"]),
        ((*TWO, "s3,f,0,0,a.tif,m3,Control"), ["column condition: 'Control' and 'control' of stacks.tsv: row 2"]),
        ((*TWO, "s3,f,0,0,a.tif,m3,con trol"), ["row 4, column condition", "a space"]),
        ((*TWO, "s3,f,0,0,a.tif,M2,enriched"), ["row 4, column animal", "'M2' and 'm2'"]),
        ((*TWO, "s3,f,0,0,a.tif,m2,control"),
         ["row 4, column condition", "the animal m2 is 'control' here and 'enriched' in stacks.tsv: row 3",
          "design.within_animal"]),
        ((*TWO, "s1,g,0,0,a.tif,m3,control"),
         ["row 4, column animal", "specimen s1 is of the animal m3 here and of m1 in stacks.tsv: row 2"]),
        ((*TWO, "s3,f,0,0,a.tif,,control"), ["row 4, column animal", "is empty, and condition is given"]),
        ((*TWO, "s3,f,0,0,a.tif,m3,NA"), ["row 4, column condition", "'NA' is read as a missing value"]),
    ],
)  # fmt: skip
def test_levels_and_animals_that_cannot_be(study, rows, expected):
    refuse(study, CONDITION, *expected, stacks=("condition", *rows))


def test_numbers_written_in_two_ways_are_one_slip(study):
    rows = ("s1,f,0,0,a.tif,m1,1", "s2,f,0,0,b.tif,m2,2", "s3,f,0,0,b.tif,m3,1.0")
    refuse(study, {"factors": ["batch"]}, "row 4, column batch", "'1.0' and '1'", stacks=("batch", *rows))
    # names of 18 digits are told apart to the last
    rows = ("s1,f,0,0,a.tif,648518346349539862,a", "s2,f,0,0,b.tif,648518346349539863,b")
    assert len(study(CONDITION, stacks=("condition", *rows)).design.samples["stacks"]) == 2


def test_a_covariate_that_is_no_number(study):
    design = {"covariates": ["age_days"]}
    for cell in ("old", "inf", "1_0"):
        refuse(study, design, "row 2, column age_days: give a number, not", cell,
               stacks=("age_days", f"s1,f,0,0,a.tif,m1,{cell}"))  # fmt: skip


def test_one_neuron_of_two_animals(study):
    refuse(study, {}, "volumes.tsv: row 2, column animal: specimen s1 is of the animal m2 here and of m1",
           stacks=("", "s1,f,0,0,a.tif,m1"), volumes=("", "s1,v.h5,m2"))  # fmt: skip
    refuse(study, {}, "cells.tsv: row 2, column animal: cell 5", neurons=("", "5,n.npz,m1"), cells=("", "5,L4,m2"))
    refuse(study, {}, "neurons.tsv: row 3", "mesh", "n.npz", neurons=("", "a,n.npz,m1", "b,n.npz,m2"))


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"factors": ["field"]}, "design.factors: names field, which is a column of the sheets already"),
        (
            {"covariates": ["turnover_ratio"]},
            "design.covariates: names turnover_ratio, which is a column of the tables",
        ),
        ({"factors": ["sex"]}, "design.factors: names sex, which no row of a sample sheet has"),
    ],
)
def test_names_that_cannot_be_carried(study, design, message):
    refuse(study, design, message, stacks=("", "s1,f,0,0,a.tif,m1", "s2,f,0,0,b.tif,m2"))


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"factors": ["animal"]}, "design.factors: names animal"),
        ({"factors": ["my factor"]}, "use letters, digits and '_' alone"),
        ({"factors": ["sex", "sex"]}, "names sex 2 times"),
        ({"factors": ["age"], "covariates": ["age"]}, "age is in factors and in covariates"),
        ({"within_animal": ["layer"]}, "within_animal names layer, which is none of the factors"),
    ],
)
def test_keys_that_contradict_each_other(design, message):
    with pytest.raises(ValueError, match="design") as error:
        complete({"design": design})
    assert message in str(error.value)


def test_a_column_that_nobody_named_says_how(tmp_path):
    sheet = tmp_path / "volumes.tsv"
    sheet.write_text("volume\timage\tconditon\nv\tv.h5\ta\n")
    with pytest.raises(ValueError, match=r"column conditon: no such column.*did you mean 'condition'.*design\.factors"):
        read_sheet(sheet, VolumeRow, design=["condition"])
    with pytest.raises(ValueError, match=r"known are .*\(a factor or a covariate of the study is named under design"):
        read_sheet(sheet, VolumeRow)


def test_every_column_of_the_tables_is_known():
    """A factor of such a name would be told of only when the tables are made."""
    schema = yaml.safe_load((REPOSITORY / "workflow" / "schemas" / "spines.schema.yaml").read_text())["columns"]
    lists = [
        schema, counts.COLUMNS, morphometry.COLUMNS, synapses.COLUMNS, tables.NEURON_COLUMNS,
        blocks.BLOCK_COLUMNS, merge.OBJECT_COLUMNS, corrections.OUTCOME_COLUMNS, dendrites.DENDRITE_COLUMNS,
        depth_track.SPINE_COLUMNS, dynamics.TURNOVER_COLUMNS, dynamics.SURVIVAL_COLUMNS, measure.MEASURE_COLUMNS,
        sessions.SESSION_COLUMNS, size_changes.SIZE_COLUMNS,
    ]  # fmt: skip
    known = set(TABLE_COLUMNS.split())
    assert not {column for columns in lists for column in columns} - known


def test_the_example_study_has_the_effect_that_it_states(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    config = complete(yaml.safe_load(Path("config/compare/config.yaml").read_text()))
    specimens, found = config["phantom"]["specimens"], read_study(config, REPOSITORY)
    assert {row.specimen for row in found.stacks} == set(specimens)
    for row in found.stacks:
        assert row.animal == row.specimen and row.design == {"condition": row.specimen.partition("_")[0]}
    density = pd.Series({name: keys["spines_per_um"] for name, keys in specimens.items()})
    groups = density.groupby(density.index.str.partition("_").get_level_values(0))
    assert groups.size().tolist() == [4, 4]
    assert groups.mean()["enriched"] / groups.mean()["control"] == pytest.approx(0.75)
    assert (groups.std() / groups.mean()).tolist() == pytest.approx([0.086, 0.086], abs=0.001)


def planned(folder, configs):
    done = subprocess.run(
        [sys.executable, REPOSITORY / "tests" / "workflow" / "plan_jobs.py"],
        input=json.dumps(configs), capture_output=True, text=True, cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_another_level_reaches_the_tables_and_no_unit(tmp_path):
    small, configs = yaml.safe_load((REPOSITORY / "config" / "small" / "config.yaml").read_text()), []
    for levels in ([], ["a", "b"], ["b", "a"]):
        config = {**small, "samples": {}, "design": CONDITION if levels else {}}
        for kind, sheet in small["samples"].items():
            rows = pd.read_csv(REPOSITORY / sheet, sep="\t", dtype=str)
            if levels:
                rows["animal"] = [f"m{name}" for name in rows[rows.columns[0]]]
                rows["condition"] = [levels[name.endswith("train")] for name in rows[rows.columns[0]]]
            config["samples"][kind] = f"{kind}{len(configs)}.tsv"
            rows.to_csv(tmp_path / config["samples"][kind], sep="\t", index=False)
        configs.append(complete(config))
    none, one, other = planned(tmp_path, configs)
    readers = {
        "twophoton_tables", "neurons_tables", "synapses_blocks", "census_spines", "census_tables", "report_page",
        "report_methods",
    }  # fmt: skip
    for before, after in ((none, one), (one, other)):
        assert before.keys() == after.keys()
        changed = {job["rule"] for name, job in after.items() if job != before[name]}
        assert changed - {"provenance"} == readers
