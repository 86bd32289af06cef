"""Tables over all comparisons, in the columns of their schema, with p-values corrected over those named together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from spinome.compare.inference import corrected

DTYPES = {"string": "str", "number": "float64", "integer": "Int64"}
CORRECTIONS = ("p_holm", "p_benjamini_hochberg")


def read_schema(path: str | Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The columns of each table by name, in order."""
    return yaml.safe_load(Path(path).read_text())


def join(parts: Iterable[pd.DataFrame], columns: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """All rows in the columns, the order and the types of a schema; text that is not there is empty."""
    filled = [part.astype(object) for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    table = table.reindex(columns=list(columns))
    for name, column in columns.items():
        values = table[name].fillna("") if column["type"] == "string" else table[name]
        table[name] = values.astype(DTYPES[column["type"]])
    return table


def correct(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The effects with p-values corrected over all that are named together, by Holm and by Benjamini and Hochberg.

    Those with the machine's error are corrected where there are any, since they are the ones to report.
    """
    reported = comparisons["carried_p_value"].fillna(comparisons["p_value"])
    parts = [corrected(group) for _, group in reported.groupby(comparisons["together"])]
    values = [pd.concat([part[place] for part in parts]) if parts else reported for place in range(len(CORRECTIONS))]
    return comparisons.assign(**dict(zip(CORRECTIONS, values)))
