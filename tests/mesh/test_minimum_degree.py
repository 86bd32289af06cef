import numpy as np
import pytest
import scipy.sparse as sp

from spinome.mesh.minimum_degree import minimum_degree


def order_of(matrix):
    graph = sp.csr_array(matrix)
    return minimum_degree(graph.indptr, graph.indices)


def fill(matrix, order):
    """Entries below the diagonal of the factor, by elimination on a dense pattern."""
    pattern = (matrix.toarray() != 0)[np.ix_(order, order)]
    for column in range(len(pattern)):
        below = np.flatnonzero(pattern[column + 1 :, column]) + column + 1
        pattern[np.ix_(below, below)] = True
    return int(np.tril(pattern, -1).sum())


def grid(side):
    line = sp.diags_array([np.ones(side - 1), np.ones(side - 1)], offsets=[-1, 1])
    eye = sp.eye_array(side)
    return sp.csr_array(sp.kron(line, eye) + sp.kron(eye, line))


def test_a_tree_is_eliminated_without_fill():
    parent = np.random.default_rng(0).integers(0, np.arange(1, 200))
    edges = sp.coo_array((np.ones(199), (np.arange(1, 200), parent)), shape=(200, 200))
    tree = sp.csr_array(edges + edges.T)
    assert fill(tree, order_of(tree)) == 199


@pytest.mark.parametrize("seed", range(8))
def test_every_node_is_eliminated_once(seed):
    links = sp.random_array((80, 80), density=0.005 * 2**seed, rng=np.random.default_rng(seed))
    links = sp.csr_array(links + links.T)
    links.setdiag(0)
    links.eliminate_zeros()
    order = order_of(links)
    assert sorted(order) == list(range(80))
    assert fill(links, order) <= fill(links, np.arange(80))


def test_a_grid_fills_far_less_than_row_by_row():
    assert fill(grid(24), order_of(grid(24))) < 0.4 * fill(grid(24), np.arange(24**2))


def test_nodes_that_are_all_joined_and_nodes_that_stand_alone():
    full = sp.csr_array(np.ones((9, 9)) - np.eye(9))
    assert sorted(order_of(full)) == list(range(9))
    assert sorted(order_of(sp.csr_array((5, 5)))) == list(range(5))
    assert order_of(sp.csr_array((1, 1))).tolist() == [0]
