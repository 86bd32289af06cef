"""Pictures of simulated specimens."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tifffile
from matplotlib.colors import to_rgb

from spinome.colours import COLOURS
from spinome.io.meshes import write_mesh
from spinome.io.tables import write_table
from spinome.io.volumes import write_volume
from spinome.mesh.surface import Mesh
from spinome.report.phantom import Shown, draw_all, draw_em, draw_mesh, draw_session


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_the_nearest_label_of_a_pixel_is_the_one_that_is_seen():
    square = np.array([[0, 0], [2000, 0], [0, 2000], [2000, 2000.0]])
    vertices = np.concatenate([np.c_[square, np.full(4, z)] for z in (0.0, 900.0)])
    faces = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6], [5, 7, 6]])
    for labels, seen in ((np.repeat([1, 0], 4), "spine"), (np.repeat([0, 1], 4), "shaft")):
        image = draw_mesh(Mesh(vertices, faces, {"label": labels})).axes[0].images[0].get_array()
        painted = np.asarray(image).reshape(-1, 3)
        painted = painted[(painted < 0.9).any(axis=1)]
        ratio = painted / np.array(to_rgb(COLOURS[seen]))
        assert np.allclose(ratio, ratio[:, :1])


def test_em_marks_dendrites_and_synapses():
    dendrites, synapses = np.zeros((8, 8), int), np.zeros((8, 8), int)
    dendrites[:4], synapses[6] = 5, 1
    over = draw_em(np.zeros((8, 8), np.uint8), dendrites, synapses, 0.012).axes[1].images[1].get_array()
    alpha = np.asarray(over)[..., 3]
    assert (alpha[:4] > 0).all() and (alpha[6] > alpha[0]).all() and (alpha[4:6] == 0).all()


def test_a_session_marks_its_spines_in_micrometres():
    truth = pd.DataFrame({"tip_x_px": [10.0], "tip_y_px": [20.0]})
    axes = draw_session(np.random.default_rng(0).random((3, 40, 40)), truth, (1.0, 0.12, 0.12)).axes[1]
    (points,) = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(points.get_xydata(), [[1.2, 2.4]])


def test_each_sample_is_drawn_from_its_own_files(tmp_path):
    vertices = np.array([[0, 0, 0], [4000, 0, 0], [0, 4000, 0], [0, 0, 4000.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    write_mesh(tmp_path / "mesh.npz", Mesh(vertices, faces, {"label": np.array([0, 1, 2, 0])}))
    labels = np.zeros((3, 16, 16), np.uint32)
    for name, volume in {"image": labels.astype(np.uint8) + 9, "segmentation": labels + 5}.items():
        write_volume(tmp_path / "em.zarr", volume, (40, 8, 8), name=name)
    synapses = labels.copy()
    synapses[1, 3:5] = 1
    write_volume(tmp_path / "em.zarr", synapses, (40, 8, 8), name="synapses")
    write_table(pd.DataFrame({"post": [5]}), tmp_path / "truth_synapses.parquet")
    session = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    tifffile.imwrite(tmp_path / "session.tif", session, metadata={"axes": "ZYX"})
    tips = pd.DataFrame({"timepoint": [0, 4], "tip_x_px": [1.0, 2.0], "tip_y_px": [1.0, 2.0]})
    write_table(tips, tmp_path / "truth_spines.csv")
    draw_all(
        tmp_path / "figures",
        [
            Shown(
                "p",
                "twophoton",
                str(tmp_path / "session.tif"),
                str(tmp_path / "truth_spines.csv"),
                "4",
                (1.0, 0.1, 0.1),
            ),
            Shown("p", "linking", f"{tmp_path}/em.zarr::image", str(tmp_path / "truth_synapses.parquet")),
            Shown("q", "neurons", str(tmp_path / "mesh.npz")),
        ],
    )
    entries = json.loads((tmp_path / "figures" / "figures.json").read_text())
    assert [entry["name"] for entry in entries] == ["p_twophoton", "p_linking", "q_neurons"]
    assert entries[0]["title"] == "The specimen p in two-photon microscopy"
    assert entries[0]["caption"].startswith("Session 4,") and entries[1]["caption"].startswith("Slice 1,")
