"""JSON from outside."""

from __future__ import annotations

import json
from typing import Any


def parse_json(content: str | bytes) -> Any:
    """What a JSON text holds.

    Raises
    ------
    ValueError: if it is none, or nested so deeply that Python cannot follow it.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
