"""The documentation site: its pages are complete, its links lead somewhere, and docstrings become Markdown."""

import importlib.util
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("assemble", REPOSITORY / "docs" / "assemble.py")
assemble = importlib.util.module_from_spec(spec)
spec.loader.exec_module(assemble)
PAGE = REPOSITORY / "docs" / "linking.md"


def places_of(entries):
    """The pages that a navigation names, at any depth."""
    for entry in entries:
        (inner,) = entry.values()
        yield from [inner] if isinstance(inner, str) else places_of(inner)


def turned(text):
    taken = {}
    return assemble.turn_links(text, PAGE, assemble.pages(), taken), taken


def test_the_site_holds_what_its_navigation_names(tmp_path):
    written = assemble.assemble(tmp_path / "pages")
    named = list(places_of(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"]))
    assert set(named) <= set(written)
    # the reference has an index of its own
    assert {place for place in written if not place.startswith("reference/")} <= set(named)
    assert (tmp_path / "pages" / "files" / "docs" / "overview.png").is_file()


def test_every_public_module_is_in_the_reference():
    text = "".join(assemble.reference().values())
    for module in ("io.meshes", "twophoton.register", "linking.candidates", "scores.detection"):
        assert f"::: spinome.{module}\n" in text
    assert "__init__" not in text and "__main__" not in text


def test_links_follow_their_targets():
    text, taken = turned("[a](glossary.md#tissue) [b](../config/README.md) [c](../workflow/models/links.md) [d](#top)")
    assert text == "[a](glossary.md#tissue) [b](configuration.md) [c](models/links.md) [d](#top)"
    assert not taken


def test_a_file_that_is_no_page_is_taken_along():
    text, taken = turned("[schema](../workflow/schemas/spines.schema.yaml) [web](https://example.org/a.md)")
    assert text == "[schema](files/workflow/schemas/spines.schema.yaml) [web](https://example.org/a.md)"
    assert list(taken) == [REPOSITORY / "workflow/schemas/spines.schema.yaml"]


def test_a_link_that_leads_nowhere_is_named():
    with pytest.raises(ValueError, match=r"docs/linking.md: the link to nowhere.md leads nowhere"):
        turned("[a](nowhere.md)")


def test_code_is_left_as_it_is():
    text = "[a](glossary.md)\n\n```python\nvalues[0](nowhere.md)\n```\n\n[b](glossary.md)\n"
    assert turned(text)[0] == text


def test_a_docstring_becomes_markdown():
    docstring = (
        "Group vertices.\n\nMore of it.\n\nParameters\n----------\nfaces, areas : (F, 3)\n    and (V,)\n"
        "distance : where the tree is cut\n\nRaises\n------\nValueError: if there is none"
    )
    assert assemble.to_markdown(docstring) == (
        "Group vertices.\n\nMore of it.\n\n**Parameters**\n\n- `faces, areas`: (F, 3)\n    and (V,)\n"
        "- `distance`: where the tree is cut\n\n**Raises**\n\nValueError: if there is none"
    )
    assert assemble.to_markdown("One line.") == "One line."
