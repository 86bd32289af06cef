import numpy as np
import trimesh

from spinome.mesh.render import fit_camera, render_mesh


def test_a_ball_is_round_lit_and_coloured():
    ball = trimesh.creation.icosphere(4, 1000.0)
    picture = render_mesh(ball.vertices, ball.faces, (1.0, 0.2, 0.2), view="z", size=(120, 160))
    assert picture.shape == (120, 160, 3)
    covered = (picture < 250).any(axis=2)
    radius = 0.46 * 120
    assert abs(covered.sum() / (np.pi * radius**2) - 1) < 0.03
    assert (picture[covered][:, 0].astype(int) > picture[covered][:, 1]).all()
    assert picture[60, 80].sum() > picture[60, 80 + int(0.95 * radius)].sum()


def test_the_nearer_of_two_triangles_is_seen():
    corners = np.array([[0.0, 0, 0], [1000, 0, 0], [0, 1000, 0]])
    vertices = np.concatenate([corners, corners + np.array([0, 0, 300])])
    colours = np.repeat([[1.0, 0, 0], [0, 0, 1.0]], 3, axis=0)
    faces = np.array([[0, 1, 2], [3, 4, 5]])
    above = render_mesh(vertices, faces, colours, view=np.eye(3), size=(60, 60))
    below = render_mesh(vertices, faces, colours, view=np.diag([-1.0, 1, -1]), size=(60, 60))
    assert above[45, 15, 2] > above[45, 15, 0]
    assert below[45, 45, 0] > below[45, 45, 2]


def test_projected_points_fall_into_the_picture():
    vertices = np.random.default_rng(0).normal(size=(100, 3)) * [9000, 3000, 500]
    camera = fit_camera(vertices, (200, 300))
    places = camera.project(vertices)
    assert (places[:, :2] >= 0).all()
    assert (places[:, :2] <= [300, 200]).all()
    assert np.ptp(places[:, 0]) > np.ptp(places[:, 1])
