"""The base of every section: no unknown key, every key described."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the configuration. A misspelt key is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def nested_section(annotation: Any) -> type[Section] | None:
    """The section that a key holds: itself one, or a mapping from names to one; None for a plain value."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None
