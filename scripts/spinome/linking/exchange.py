"""The graph of synapses for other programs: GraphML, which Cytoscape, Gephi, igraph and networkx read."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd

from spinome.io.atomic import atomic


def synapse_graph(synapses: pd.DataFrame, pairs: np.ndarray) -> nx.Graph:
    """The line graph of a volume with what is known of its synapses.

    Parameters
    ----------
    synapses : one row per synapse with `synapse neurite_a neurite_b`, and `z_nm y_nm x_nm` where its place is known;
        neurites by their segment, orphans by the shaft that they are linked to
    pairs : (P, 2) synapses that share a neurite, of `spinome.linking.line_graph.line_graph`

    Returns
    -------
    a graph with a node per synapse, which carries the columns of its row, and an edge per pair
    """
    graph = nx.Graph()
    columns = [column for column in synapses.columns if column != "synapse"]
    for row in synapses.to_dict("records"):
        graph.add_node(int(row["synapse"]), **{column: _plain(row[column]) for column in columns})
    graph.add_edges_from((int(a), int(b)) for a, b in pairs)
    return graph


def write_graphml(path: str | Path, graph: nx.Graph) -> None:
    """Write a graph as GraphML, whole or not at all."""
    with atomic(path) as part:
        nx.write_graphml(graph, part)


def _plain(value: object) -> int | float | str:
    """A number of GraphML; what is not known is an empty text."""
    if pd.isna(value):
        return ""
    return int(value) if isinstance(value, (int, np.integer)) else float(value)
