"""Small tables of the branches, in the columns they promise."""

from pathlib import Path

import pandas as pd
import pytest

from spinome.census.spines import read_schema

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def schema():
    return read_schema(REPOSITORY / "workflow" / "schemas" / "spines.schema.yaml")


@pytest.fixture
def twophoton():
    return pd.DataFrame(
        {
            "specimen": "mouse",
            "field": "f1",
            "timepoint": ["0", "1", "0"],
            "day": [0.0, 2.0, 0.0],
            "spine": [7, 7, 8],
            "z_um": [3.0, 3.1, 9.0],
            "y_um": 1.0,
            "x_um": 2.0,
            "score": [0.9, 0.8, 0.7],
            "dendrite": [1, 1, -1],
            "head_volume_um3": [0.1, None, 0.2],
        }
    )


@pytest.fixture
def linking():
    return pd.DataFrame(
        {
            "volume": "p",
            "spine": [11, 12],
            "parent": [1, 1],
            "z_nm": [1000.0, 2000.0],
            "y_nm": 0.0,
            "x_nm": 0.0,
            "volume_um3": [0.05, 0.06],
            "synapses": [1, 0],
            "probability": [0.9, 0.6],
        }
    )


@pytest.fixture
def neuron_spines():
    return pd.DataFrame(
        {
            "neuron": ["p", "p", "p-1"],
            "source": ["sheet", "sheet", "p"],
            "spine": [0, 1, 0],
            "z_nm": [1100.0, 5000.0, 1050.0],
            "y_nm": 0.0,
            "x_nm": 0.0,
            "volume_um3": [0.05, 0.5, 0.04],
            "head_diameter_nm": [400.0, 800.0, 380.0],
            "neck_length_nm": [500.0, 900.0, None],
            "synapses": [2, 1, 1],
            "partners": [2, 1, 1],
            "multi_input": [True, False, False],
            "probability": [0.9, 0.8, 0.7],
        }
    )


@pytest.fixture
def neuron_synapses():
    return pd.DataFrame(
        {
            "neuron": ["p", "p", "p", "p", "p-1"],
            "source": ["sheet", "sheet", "sheet", "sheet", "p"],
            "id": [102, 101, 103, 104, 9],
            "tag": ["spine", "spine", "spine", None, "spine"],
            "spine": [0, 0, 1, None, 0],
            "pre_pt_root_id": [5, 6, 5, 5, 5],
        }
    )
