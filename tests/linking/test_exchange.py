"""The graph of synapses as GraphML: read back as it was."""

import networkx as nx
import numpy as np
import pandas as pd

from spinome.linking.exchange import synapse_graph, write_graphml
from spinome.linking.line_graph import line_graph


def test_synapses_that_share_a_neurite_are_joined_and_keep_their_places(tmp_path):
    synapses = pd.DataFrame(
        {"synapse": [1, 2, 3], "neurite_a": [10, 10, 12], "neurite_b": [11, 13, 14], "z_nm": [1.5, 2.5, 3.5]}
    ).astype({"synapse": np.int64})
    write_graphml(tmp_path / "v.graphml", synapse_graph(synapses, line_graph(synapses)))
    read = nx.read_graphml(tmp_path / "v.graphml", node_type=int)
    assert set(read.nodes) == {1, 2, 3} and set(map(frozenset, read.edges)) == {frozenset({1, 2})}
    assert read.nodes[3] == {"neurite_a": 12, "neurite_b": 14, "z_nm": 3.5}


def test_a_volume_without_synapses_is_an_empty_graph(tmp_path):
    none = pd.DataFrame({"synapse": [], "neurite_a": [], "neurite_b": []}, dtype=np.int64)
    write_graphml(tmp_path / "v.graphml", synapse_graph(none, line_graph(none)))
    assert len(nx.read_graphml(tmp_path / "v.graphml")) == 0
