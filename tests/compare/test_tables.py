import numpy as np
import pandas as pd
import pytest

from spinome.compare.tables import correct, join

COLUMNS = {"comparison": {"type": "string"}, "rows": {"type": "integer"}, "p_value": {"type": "number"}}


def test_tables_are_joined_in_the_columns_of_the_schema():
    one = pd.DataFrame({"comparison": ["a"], "rows": [3], "p_value": [0.1], "beside": [1]})
    other = pd.DataFrame({"comparison": ["b"], "rows": [np.nan], "p_value": [np.nan]})
    table = join([one, one.iloc[:0], other], COLUMNS)
    assert list(table.columns) == list(COLUMNS)
    assert table["rows"].dtype == "Int64" and pd.isna(table["rows"][1])
    assert table["comparison"].tolist() == ["a", "b"]


def test_no_table_has_the_columns_all_the_same():
    assert list(join([], COLUMNS).columns) == list(COLUMNS)


def test_p_values_are_corrected_among_those_named_together():
    table = pd.DataFrame(
        {
            "together": ["sizes", "sizes", "counts", "sizes"],
            "p_value": [0.01, 0.5, 0.04, np.nan],
            "carried_p_value": [0.02, np.nan, np.nan, np.nan],
        }
    )
    found = correct(table)
    # the p-value with the machine's error is the one to report; one alone is not corrected
    assert found["p_holm"].tolist()[:3] == pytest.approx([0.04, 0.5, 0.04])
    assert found["p_benjamini_hochberg"].tolist()[:3] == pytest.approx([0.04, 0.5, 0.04])
    assert np.isnan(found["p_holm"].iloc[3])
