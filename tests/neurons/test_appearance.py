"""What a mesh is like: the same however it lies, another where it is coarse, or in another unit."""

from dataclasses import replace

import numpy as np
import pytest

from spinome.limits import unlikeness
from spinome.mesh.surface import Mesh, vertex_areas
from spinome.neurons.appearance import FEWEST, LIMIT, RESOLUTION, TRAITS, describe, judge_limits, known_of
from spinome.neurons.pipeline import condense_mesh
from surfaces import make_tube


def bumps(phase):
    def girth(x, turn):
        return 450 * (1 + 0.25 * np.sin(x / 900 + phase) * np.cos(turn - x / 2500) + 0.15 * np.cos(2 * turn + x / 1700))

    return make_tube(girth, 12_000.0, 24, 300)


@pytest.fixture(scope="module")
def known():
    return known_of([condense_mesh(bumps(phase)) for phase in (0, 1, 2)])


def test_more_of_the_same_is_alike_however_it_lies(known):
    mesh = bumps(3)
    turned = Mesh(mesh.vertices[:, ::-1] * [1, 1, -1] + 5e4, mesh.faces)
    far = [unlikeness(known, describe(condense_mesh(each)))[0] for each in (mesh, turned)]
    assert far[0] == pytest.approx(far[1], abs=0.05)
    assert far[0] < 1.5


@pytest.mark.parametrize(("change", "most"), [("coarse", RESOLUTION), ("micrometres", None), ("thick", None)])
def test_another_mesh_is_unlike(known, change, most):
    mesh = bumps(3)
    if change == "coarse":
        domains = condense_mesh(mesh, vertices_per_um2=6)
        # what counts is the vertices of the mesh that was given
        domains = replace(domains, vertices=200)
    else:
        domains = condense_mesh(Mesh(mesh.vertices * {"micrometres": 0.05, "thick": 3}[change], mesh.faces))
    judged = judge_limits(describe(domains), {"training data": known.for_card()})
    assert judged["unlike"] and judged["unlikeness"] > LIMIT
    assert most in (None, judged["differs"])


def test_traits_have_names_and_a_forest_that_says_nothing_judges_nothing(known):
    assert list(known.traits) == list(TRAITS)
    traits = describe(condense_mesh(bumps(0)))
    assert traits.shape == (1, len(TRAITS))
    judged = judge_limits(traits, {})
    assert np.isnan(judged["unlikeness"]) and not judged["unlike"]


def test_few_vertices_are_enough_to_be_unlike(known):
    domains = condense_mesh(bumps(3))
    wide = known_of([domains, replace(domains, vertices=len(domains.label) // 40)])
    card = {"training data": wide.for_card()}
    area_um2 = domains.area_nm2.sum() / 1e6
    unlike = []
    for density in (2 * FEWEST, FEWEST / 2, FEWEST / 4):
        coarse = replace(domains, vertices=round(density * area_um2))
        unlike.append(judge_limits(describe(coarse), card))
    assert [row["unlike"] for row in unlike] == [False, True, True]
    assert LIMIT < unlike[1]["unlikeness"] < unlike[2]["unlikeness"] and unlike[1]["differs"] == RESOLUTION
    assert not judge_limits(describe(coarse), {})["unlike"]


def test_doubled_and_unused_vertices_make_no_mesh_finer():
    mesh = make_tube(lambda x, turn: 450 + 0 * x, 3000.0, 12, 20)
    doubled = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(mesh.faces.size).reshape(-1, 3))
    unused = Mesh(np.concatenate([mesh.vertices, mesh.vertices + 1e4]), mesh.faces)
    traits = describe(condense_mesh(mesh))
    density = len(mesh.vertices) / (vertex_areas(mesh.vertices, mesh.faces).sum() / 1e6)
    assert np.exp(traits[0, 0]) == pytest.approx(density)
    for other in (doubled, unused):
        assert describe(condense_mesh(other)) == pytest.approx(traits, rel=1e-6)
