"""What a run says where more is missing than may be, and that the next run tries just that again."""

import numpy as np
import pandas as pd
import pytest
import trimesh
import yaml

from spinome.io.tables import write_table
from spinome.workflow.missing import missing_so_far, step_of

FAILURES = "results/failures/neurons_simplify/0.parquet"


def write_failures(file, step, units):
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [[step, unit, "ValueError: broken"] for unit in units]
    write_table(pd.DataFrame(rows, columns=["step", "unit", "reason"]).astype(str), file)
    return str(file)


def test_the_step_of_a_table_is_in_its_path():
    assert step_of("results/failures/neurons_hks/3.parquet") == "neurons_hks"
    assert step_of("failures/failures/linking_pieces/v/0.parquet") == "linking_pieces"


def test_failed_units_are_tried_again_where_too_much_is_missing_and_only_there(tmp_path):
    many = write_failures(tmp_path / "failures" / "linking_measure" / "v" / "0.parquet", "linking_measure", ["a", "b"])
    none = write_failures(tmp_path / "failures" / "linking_measure" / "v" / "1.parquet", "linking_measure", [])
    few = write_failures(tmp_path / "failures" / "neurons_hks" / "0.parquet", "neurons_hks", ["n"])
    done = {}
    for step, units in (("linking_measure", 3), ("neurons_hks", 19)):
        done[step] = [str(tmp_path / f"{step}.parquet")]
        write_table(pd.DataFrame({"unit": [f"u{number}" for number in range(units)]}), done[step][0])
    lines = missing_so_far(done, [many, none, few, str(tmp_path / "failures" / "later" / "0.parquet")], 0.1)
    assert lines == ["linking_measure: 2 of 5 units are missing (40%)"]
    assert [(tmp_path / file).exists() for file in (many, none, few)] == [False, True, True]
    assert missing_so_far(done, [none, few], 0.1) == []


@pytest.mark.slow
def test_a_run_in_which_too_many_fail_has_its_report_and_the_next_one_finishes_the_work(snakemake, tmp_path):
    tube = trimesh.creation.cylinder(radius=400, height=20_000).subdivide().subdivide().subdivide()
    vertices, faces = np.asarray(tube.vertices), np.asarray(tube.faces)
    for name in ("whole", "broken", "lost"):
        np.savez(tmp_path / f"{name}.npz", vertices_nm=vertices * (np.nan if name != "whole" else 1), faces=faces)
    rows = [f"{name}\t{name}.npz" for name in ("whole", "broken", "lost")]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    keys = {"samples": {"neurons": "neurons.tsv"}, "neurons": {"shards": 1}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(keys))

    def run(*targets):
        return snakemake(tmp_path, "--configfile", tmp_path / "config.yaml", "--cores", "1", *targets)

    # a part of the results, which has no last rule to say so
    part = run("--", FAILURES)
    assert part.returncode == 1 and "neurons_simplify: 2 of 3 units are missing (67%)" in part.stdout, part.stdout
    assert "Error in rule" not in part.stdout and not (tmp_path / FAILURES).exists()
    whole = run()
    assert whole.returncode == 1 and whole.stdout.count("Error in rule") == 1, whole.stdout
    assert "neurons_simplify: 2 of 3 units are missing (67%)" in whole.stdout
    assert "Not everything is known" in (tmp_path / "results" / "report.html").read_text()
    neurons = pd.read_parquet(tmp_path / "results" / "neurons" / "neurons.parquet").set_index("neuron")
    assert neurons["known"].to_dict() == {"whole": True, "broken": False, "lost": False}
    for name in ("broken", "lost"):
        np.savez(tmp_path / f"{name}.npz", vertices_nm=vertices, faces=faces)
    log = tmp_path / "results" / "logs" / "neurons_hks" / "0.log"
    again = run()
    assert again.returncode == 0 and (tmp_path / "results" / "complete").exists(), again.stdout
    assert "lost in" in log.read_text() and "whole in" not in log.read_text()
    assert pd.read_parquet(tmp_path / "results" / "failures.parquet").empty
