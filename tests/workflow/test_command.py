"""The command: a study from a folder, its inputs opened, its cost, and help that can be read."""

import numpy as np
import pytest
import yaml

from spinome.io.meshes import write_mesh
from spinome.mesh.surface import Mesh
from spinome.workflow.command import main

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
        (None, "no such configuration"),
        ("a: [", "is no YAML"),
        ("- 1", "holds no keys"),
        ("sed: 1", "did you mean 'seed'"),
    ],
)
def test_a_bad_configuration_has_one_message(tmp_path, capsys, content, words):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    assert main(["check", str(tmp_path)]) == 1
    assert words in capsys.readouterr().err


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
