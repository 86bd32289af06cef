import numpy as np

from spinome.phantom import geometry
from spinome.phantom.geometry import HEAD, SHAFT, chain, join, nearest_owner, onto_surface, surface, surface_at


def ball(radius=500.0, centre=(0.0, 0.0, 0.0)):
    return chain(np.array([centre]), np.array([radius]), HEAD, 0, 0)


def tube(radius=300.0, length=3000.0):
    return chain(np.array([[0.0, 0, 0], [0, 0, length]]), np.full(2, radius), SHAFT, 0)


def test_distance_of_a_ball_is_known_up_to_its_roughness():
    points = np.array([[0.0, 0, 0], [500, 0, 0], [0, 900, 0]])
    distance = surface_at(ball(), points, seed=1).distance
    np.testing.assert_allclose(distance, [-500, 0, 400], atol=1.6 * geometry.ROUGHNESS)


def test_grid_and_points_agree():
    tubes = join([tube(), ball(400.0, (700.0, 0, 1500))])
    origin, spacing, shape = np.array([-900.0, -700, -500]), np.array([70.0, 50, 60]), (30, 28, 70)
    grid = surface(tubes, origin, spacing, shape, seed=3, margin=2000.0)
    index = np.random.default_rng(0).integers(0, shape, (300, 3))
    points = surface_at(tubes, origin + index * spacing, seed=3)
    np.testing.assert_allclose(grid.distance[tuple(index.T)], points.distance, atol=1e-2)
    near = np.abs(points.distance) < 200
    np.testing.assert_array_equal(grid.tube[tuple(index.T)][near], points.tube[near])


def test_smooth_union_fills_the_corner_and_nothing_far_away():
    tubes, shaft = join([tube(), ball(300.0, (450.0, 0, 1500))]), tube()
    corner = np.array([[290.0, 0.0, 1180.0]])
    far = np.array([[310.0, 0.0, 300.0]])
    assert surface_at(tubes, corner, 1).distance[0] <= surface_at(shaft, corner, 1).distance[0]
    assert surface_at(tubes, far, 1).distance[0] == surface_at(shaft, far, 1).distance[0]


def test_points_land_on_the_surface_with_outward_normals():
    start = np.array([[700.0, 0, 0], [0, -300.0, 0], [200, 200, 200]])
    points, normals = onto_surface(ball(), start, seed=2)
    np.testing.assert_allclose(surface_at(ball(), points, 2).distance, 0, atol=1.0)
    assert ((normals * points).sum(axis=1) > 0.8 * np.linalg.norm(points, axis=1)).all()


def test_owner_is_that_of_the_nearest_tube():
    a = chain(np.array([[0.0, 0, 0], [0, 0, 1000]]), np.full(2, 50.0), SHAFT, 7)
    b = chain(np.array([[0.0, 600, 0], [0, 600, 1000]]), np.full(2, 50.0), SHAFT, 9)
    distance, owner = nearest_owner(join([a, b]), np.zeros(3), np.full(3, 100.0), (1, 7, 11), 220.0)
    np.testing.assert_array_equal(owner[0, :, 5], [7, 7, 7, 0, 9, 9, 9])
    np.testing.assert_allclose(distance[0, :3, 5], [-50, 50, 150], atol=1e-3)
