import numpy as np

from spinome.neurons.validation_groups import branches


def test_branches_are_what_hangs_together_without_the_soma(tube):
    middle = np.abs(tube.vertices[:, 0] - 15_000) < 1500
    found = branches(tube, middle)
    assert len(set(found[~middle])) == 2
    assert not set(found[middle]) & set(found[~middle])


def test_one_long_branch_is_cut_into_cubes(tube):
    found = branches(tube, np.zeros(len(tube.vertices), bool))
    near, far = tube.vertices[:, 0] < 19_000, tube.vertices[:, 0] > 21_000
    assert not set(found[near]) & set(found[far])
