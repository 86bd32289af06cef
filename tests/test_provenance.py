"""Code hashes follow code and not words; content hashes follow content and not order."""

import ast
from pathlib import Path

import pytest

from spinome import provenance

PACKAGE = Path(provenance.__file__).parent


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library in place of Spinome's own; returns a function that writes one of its modules."""
    monkeypatch.setattr(provenance, "LIBRARY", tmp_path)
    caches = [provenance._path, provenance._read]

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for function in caches:
            function.cache_clear()

    write("__init__.py", '"""Library."""\n__version__ = "1"\n')
    write("io/__init__.py", '"""Formats."""\n')
    write(
        "io/tables.py",
        '"""Tables."""\nfrom spinome.shared import ONE\n\n\ndef read():\n    """Read."""\n    return 1\n',
    )
    write("shared.py", "ONE = 1\n")
    write("step.py", "from spinome.io.tables import read\n\n\ndef run():\n    return read()\n")
    yield write
    for function in caches:
        function.cache_clear()


def test_docstrings_comments_and_layout_do_not_count(library):
    before = provenance.code_hash("spinome.step")
    library("step.py", '"""New words."""\nfrom spinome.io.tables import read\n\ndef run():\n    """Said."""\n    # why\n    return read( )\n')  # fmt: skip  # noqa: E501
    library("io/tables.py", "from spinome.shared import ONE\n\n\ndef read():\n    return 1\n")
    assert provenance.code_hash("spinome.step") == before


def test_code_counts_in_the_module_and_in_what_it_imports(library):
    hashes = {provenance.code_hash("spinome.step")}
    library("step.py", "from spinome.io.tables import read\n\n\ndef run():\n    return read() + 1\n")
    hashes.add(provenance.code_hash("spinome.step"))
    library("io/tables.py", "from spinome.shared import ONE\n\n\ndef read():\n    return 2\n")
    hashes.add(provenance.code_hash("spinome.step"))
    library("shared.py", "ONE = 2\n")
    hashes.add(provenance.code_hash("spinome.step"))
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "line",
    ["import spinome.shared", "from spinome import shared", "from spinome.shared import ONE", "from . import shared",
     "from .shared import ONE", "def f():\n    from spinome import shared"],
)  # fmt: skip
def test_every_kind_of_import_is_followed(library, line):
    library("step.py", line + "\n")
    before = provenance.code_hash("spinome.step")
    library("shared.py", "ONE = 3\n")
    assert provenance.code_hash("spinome.step") != before


def test_a_string_that_is_no_docstring_counts(library):
    library("step.py", "TEXT = 'a'\n")
    before = provenance.code_hash("spinome.step")
    library("step.py", "TEXT = 'b'\n")
    assert provenance.code_hash("spinome.step") != before


def test_importing_a_submodule_does_not_draw_in_its_package(library):
    library("configuration/__init__.py", "from spinome.configuration import other\n")
    library("configuration/other.py", "A = 1\n")
    library("configuration/step.py", "B = 1\n")
    library("step.py", "from spinome.configuration import step\n")
    before = provenance.code_hash("spinome.step")
    library("configuration/other.py", "A = 2\n")
    library("__init__.py", '__version__ = "2"\n')
    assert provenance.code_hash("spinome.step") == before


def test_modules_that_import_each_other_end(library):
    library("shared.py", "from spinome import step\nONE = 1\n")
    assert provenance.code_hash("spinome.step")


def test_an_unknown_module_is_an_error(library):
    with pytest.raises(ValueError, match=r"spinome\.stpe: no such module"):
        provenance.code_hash("spinome.stpe")
    with pytest.raises(ValueError, match=r"spinome\.stpe: no such module"):
        provenance.code_hash("spinome.step", "spinome.stpe")


def test_packages_hold_a_docstring_alone():
    """`code_hash` passes over the packages above a module, which is right as long as they do nothing."""
    allowed = {PACKAGE / "__init__.py", PACKAGE / "configuration" / "__init__.py"}
    for path in set(PACKAGE.rglob("__init__.py")) - allowed:
        body = ast.parse(path.read_text()).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), path


def test_no_step_depends_on_the_whole_configuration():
    """A step that imported the configuration would be rerun by a change of any key of any branch."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(["spinome", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        if not module.startswith("spinome.configuration"):
            assert not any(name.startswith("spinome.configuration") for name in provenance._read(module)[1]), module


def test_content_hash_follows_values_and_not_the_order_of_keys():
    assert provenance.content_hash({"a": 1, "b": [2]}) == provenance.content_hash({"b": [2], "a": 1})
    assert provenance.content_hash({"a": 1}) != provenance.content_hash({"a": 2})
    assert provenance.content_hash("a", "b") != provenance.content_hash("ab")


def test_file_hash_of_files_and_folders(tmp_path):
    (tmp_path / "a").write_text("one")
    (tmp_path / "b").write_text("one")
    assert provenance.file_hash(tmp_path / "a") == provenance.file_hash(tmp_path / "b")
    before = provenance.file_hash(tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert provenance.file_hash(tmp_path) != before


def test_fingerprint_covers_all_of_small_inputs_and_samples_large_ones(tmp_path):
    path = tmp_path / "stack.tif"
    path.write_bytes(bytes(300_000))
    whole = provenance.fingerprint(path)
    sampled = provenance.fingerprint(path, sampled_above=1000)
    assert (whole["hashed"], sampled["hashed"], whole["bytes"]) == ("whole", "sampled", 300_000)
    path.write_bytes(bytes(299_999) + b"1")
    assert provenance.fingerprint(path)["hash"] != whole["hash"]
    assert provenance.fingerprint(path, sampled_above=1000)["hash"] != sampled["hash"]


def test_fingerprint_of_a_folder(tmp_path):
    (tmp_path / "0").write_bytes(bytes(100))
    before = provenance.fingerprint(tmp_path), provenance.fingerprint(tmp_path, sampled_above=10)
    assert [entry["hashed"] for entry in before] == ["whole", "names and sizes"]
    (tmp_path / "1").write_bytes(bytes(1))
    assert provenance.fingerprint(tmp_path)["hash"] != before[0]["hash"]
    assert provenance.fingerprint(tmp_path, sampled_above=10)["hash"] != before[1]["hash"]


def test_the_code_of_each_package_is_named():
    assert {"spinome", "io", "census", "neurons"} <= set(provenance.code_by_package())
    assert provenance.installed_versions()["numpy"]
