"""An extension of griffe, which reads the library for the reference: docstrings become Markdown."""

from __future__ import annotations

from typing import Any

from assemble import to_markdown
from griffe import Extension, GriffeLoader, Object


class MarkdownDocstrings(Extension):
    """Turn the docstring of every object into Markdown."""

    def on_object(self, *, obj: Object, loader: GriffeLoader, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)
