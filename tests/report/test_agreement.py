"""Figures of links held against labels show every verdict and the orphan of a conflict."""

import json

import numpy as np
import pandas as pd
import trimesh

from spinome.census.agreement import VERDICTS
from spinome.io.meshes import write_mesh
from spinome.mesh.surface import Mesh
from spinome.neurons.spines import Labelled, write_labelled
from spinome.neurons.units import NeuronUnit
from spinome.report.agreement import SHOWN, Conflict, draw_agreement, draw_all, draw_conflicts


def table():
    verdicts = list(VERDICTS)
    rows = pd.DataFrame({"volume": "v", "verdict": verdicts, "evidence": [VERDICTS[name] for name in verdicts]})
    rows["link_probability"], rows["spine_probability"] = np.linspace(0, 1, len(rows)), 0.5
    rows.loc[2, "spine_probability"] = np.nan
    right = pd.array([True, False, pd.NA] * 3, "boolean")
    return rows.assign(right=right, orphan=5, shaft=1, z_nm=0.0, y_nm=0.0, x_nm=500.0)


def test_every_verdict_and_every_pair_of_probabilities_is_shown():
    left, right = draw_agreement(table()).axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(VERDICTS)[::-1]
    assert sum(len(points.get_offsets()) for points in right.collections) == len(VERDICTS) - 1
    labels = right.get_legend_handles_labels()[1]
    assert "agree, as the truth has it (1)" in labels and "conflict, against the truth (2)" in labels


def test_a_table_without_probabilities_has_no_legend():
    rows = table().assign(spine_probability=np.nan)
    assert draw_agreement(rows).axes[1].get_legend() is None


def test_the_orphan_is_in_full_colour():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=800)
    mesh = Mesh(np.asarray(ball.vertices) * [1.8, 1.0, 0.9], np.asarray(ball.faces))
    segment = np.where(mesh.vertices[:, 0] > 0, 5, 1)
    figure = draw_conflicts([Conflict(mesh, np.ones(len(segment), int), segment, table().iloc[1])])
    assert "orphan 5 on 1" in figure.axes[0].get_title(loc="left")
    picture = np.asarray(figure.axes[0].images[0].get_array(), float)[..., :3].reshape(-1, 3)
    drawn = picture / picture.max()
    drawn = drawn[(drawn < 0.99).any(axis=1)]
    # spine is red: full on the orphan, pale elsewhere, whatever the light
    saturation = 1 - drawn.min(axis=1) / drawn.max(axis=1)
    assert (saturation > 0.5).mean() > 0.2 and (saturation < 0.4).mean() > 0.2


def test_the_first_conflicts_are_shown_on_their_own_meshes(tmp_path):
    ball = trimesh.creation.icosphere(subdivisions=3, radius=800)
    vertices, faces = np.asarray(ball.vertices), np.asarray(ball.faces)
    segment = np.where(vertices[:, 0] > 0, 5, 1)
    write_mesh(tmp_path / "1.npz", Mesh(vertices, faces, {"segment": segment}))
    labels = Labelled(np.tile([0.1, 0.8, 0.1], (len(vertices), 1)), np.full(len(vertices), -1))
    write_labelled(tmp_path / "labels", labels, pd.DataFrame({"spine": []}))
    neurons = {("v", 1): NeuronUnit("volume-v/1", "v", "1", str(tmp_path / "1.npz"))}
    rows = table().assign(spine_probability=0.5)
    disputed = rows[(rows["evidence"] == "conflict") & rows["verdict"].str.startswith("linked")]
    many = pd.concat([rows, *[disputed] * SHOWN], ignore_index=True)
    draw_all(tmp_path / "figures", many, neurons, {"volume-v/1": tmp_path / "labels"})
    index = tmp_path / "figures" / "figures.json"
    assert [entry["name"] for entry in json.loads(index.read_text())] == ["agreement", "conflicts"]
    # without a conflict no mesh is opened, and without a row nothing is drawn
    agreed = rows[rows["evidence"] == "agree"]
    draw_all(tmp_path / "agreed", agreed, {}, {})
    assert [path.name for path in (tmp_path / "agreed").glob("*.png")] == ["agreement.png"]
    draw_all(tmp_path / "none", rows.iloc[:0], {}, {})
    assert list((tmp_path / "none").iterdir()) == []
