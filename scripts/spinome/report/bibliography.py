"""The published methods that Spinome follows, as BibTeX entries by their keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

# beside this module; code hashes count a file that a module names like this
REFERENCES = "references.bib"
ENTRY = re.compile(r"@\w+\{(\w+),\n.*?^\}", re.DOTALL | re.MULTILINE)
# as pandoc writes citations: [@key] or [@key; @other]
CITATION = re.compile(r"@(\w+)(?=[;\]])")


def entries(version: str) -> dict[str, str]:
    """Every entry by its key, that of Spinome with its version."""
    text = (Path(__file__).parent / REFERENCES).read_text(encoding="utf-8")
    return {found[1]: found[0].replace("{VERSION}", f"{{{version}}}") for found in ENTRY.finditer(text)}


def cited(text: str) -> list[str]:
    """The keys that a text cites, in the order in which it does."""
    return list(dict.fromkeys(CITATION.findall(text)))


def bibliography(keys: Iterable[str], version: str) -> str:
    """The entries of these keys as a BibTeX file.

    Raises
    ------
    KeyError: if there is no such entry
    """
    known = entries(version)
    return "\n\n".join(known[key] for key in keys) + "\n"
