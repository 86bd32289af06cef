"""The command: a study from a folder, its inputs opened, its cost, and help that can be read."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinome.io.meshes import write_mesh
from spinome.mesh.surface import Mesh
from spinome.workflow.command import main

REPOSITORY = Path(__file__).parents[2]
TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [4e3, 0, 0], [0, 4e3, 0], [0, 0, 4e3]], float),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    {},
)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    write_mesh(tmp_path / "data" / "n1.npz", TETRAHEDRON)
    return tmp_path / "data"


def test_a_review_says_what_it_needs(data, tmp_path, capsys, monkeypatch):
    study = tmp_path / "study"
    assert main(["new", str(data), "--study", str(study)]) == 0
    (tmp_path / "labels.tsv").write_text("x_nm\ty_nm\tz_nm\ttag\n1\t2\t3\tspine\n")
    with (study / "config.yaml").open("a") as stream:
        stream.write(f"review: {{answers: {tmp_path / 'answers.parquet'}}}\n")
    capsys.readouterr()
    assert main(["review", str(study), "--import", str(tmp_path / "labels.tsv")]) == 1
    assert "say by --who whose answers these are" in capsys.readouterr().err
    taken = ["--import", str(tmp_path / "labels.tsv"), "--who", "ann", "--neuron", "n1"]
    assert main(["review", str(study), *taken]) == 0
    assert "1 answers taken" in capsys.readouterr().out
    assert main(["review", str(study), "--export", str(tmp_path / "out")]) == 0
    assert "1 labelled places of n1" in capsys.readouterr().out
    assert (tmp_path / "out" / "truth_labels" / "n1.tsv").read_text().split() == [
        "x_nm",
        "y_nm",
        "z_nm",
        "tag",
        "1.0",
        "2.0",
        "3.0",
        "spine",
    ]
    # without the package of the server
    monkeypatch.delitem(sys.modules, "spinome.review.server", raising=False)
    monkeypatch.setitem(sys.modules, "tornado", None)
    assert main(["review", str(study)]) == 1
    assert "pip install" in capsys.readouterr().err


def test_a_study_is_begun_checked_and_estimated(data, tmp_path, capsys):
    study = tmp_path / "study"
    assert main(["new", str(data), "--study", str(study)]) == 0
    written = yaml.safe_load((study / "config.yaml").read_text())
    assert written["samples"] == {"neurons": str(study / "neurons.tsv")}
    assert "snakemake --configfile" in capsys.readouterr().out
    assert main(["check", str(study)]) == 0
    assert "1 neurons: 0 problem(s)" in capsys.readouterr().out
    assert main(["estimate", str(study / "config.yaml")]) == 0
    words = capsys.readouterr().out
    assert "neurons" in words and "CPU-hours in all" in words


def test_nothing_is_overwritten(data, tmp_path, capsys):
    assert main(["new", str(data), "--study", str(tmp_path)]) == 0
    assert main(["new", str(data), "--study", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err


def test_a_bad_input_is_told_and_the_exit_status_says_so(data, tmp_path, capsys):
    main(["new", str(data), "--study", str(tmp_path)])
    (data / "n1.npz").write_bytes(b"PK")
    assert main(["check", str(tmp_path)]) == 1
    assert "n1.npz: is truncated or no mesh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "config.yaml: no such configuration"),
        (b"a: [", "config.yaml: is no YAML"),
        (b"- 1", "config.yaml: holds no keys"),
        (b"", "config.yaml: holds no keys"),
        ("results: Fr\xfchling".encode("latin-1"), "config.yaml: is no text in UTF-8"),
        (b"[" * 5000, "config.yaml: is no YAML"),
    ],
)
@pytest.mark.parametrize("command", ["check", "estimate"])
def test_a_bad_configuration_has_a_message_of_one_line(tmp_path, capsys, content, words, command):
    if content is not None:
        (tmp_path / "config.yaml").write_bytes(content)
    assert main([command, str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert words in told.err and told.err.count("\n") == 1 and not told.out


def test_keys_that_are_none_are_told_one_by_one(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("sed: 1\nresult: r")
    assert main(["check", str(tmp_path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(";")[2] for line in told[1:]] == [" did you mean 'seed'?", " did you mean 'results'?"]


def test_make_refuses_a_configuration_that_snakemake_would_end_in_a_traceback_of(tmp_path):
    (tmp_path / "bad.yaml").write_bytes("results: Fr\xfchling".encode("latin-1"))
    for name, code in (("none.yaml", 2), ("bad.yaml", 2), ("good.yaml", 0)):
        (tmp_path / "good.yaml").write_text("results: Frühling", encoding="utf-8")
        command = ["make", "--no-print-directory", "--directory", REPOSITORY, "readable", f"CONFIG={tmp_path / name}"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == code, made.stderr
        assert (f"{name}: is absent or no text in UTF-8" in made.stdout) == bool(code)


def test_open_questions_stop_a_run(data, tmp_path, capsys):
    main(["new", str(data), "--study", str(tmp_path)])
    sheet = tmp_path / "neurons.tsv"
    sheet.write_text(f"neuron\tmesh\tsynapse_voxel_x_nm\nn1\t{data / 'n1.npz'}\t?\n")
    assert main(["check", str(tmp_path)]) == 1
    assert "column synapse_voxel_x_nm: is an open question" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["new"], ["check"], ["estimate"]])
def test_help_reads(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0 and "usage: spinome" in capsys.readouterr().out
