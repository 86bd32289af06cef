"""The figure of the graph shows every state that was scored and every volume's curve."""

import numpy as np
import pandas as pd
import pytest

from spinome.report.line_graph import draw_graph


@pytest.mark.parametrize("volumes", [[], ["v", "w"]])
def test_states_and_curves(volumes):
    evaluation = pd.DataFrame(
        {
            "metric": ["top_1", "graph_f1_orphans", "subgraph_f1_orphans", "graph_f1_linked", "subgraph_f1_linked"],
            "value": [0.9, 0.2, np.nan, 0.7, 0.6],
        }
    )
    curve = pd.DataFrame({"volume": volumes, "fraction": 0.5, "f1": 0.5, "f1_low": 0.4, "f1_high": 0.6})
    left, right = draw_graph(evaluation, curve).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["as linked", "no orphan linked"]
    assert [bar.get_width() for bar in left.patches[:2]] == [0.7, 0.2]
    assert len(right.lines) == len(volumes)
