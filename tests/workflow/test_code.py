"""Code hashes follow code and not words, by every import and by no list."""

import ast

import pytest

from spinome.workflow import code

PACKAGE = code.LIBRARY


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library in place of Spinome's own; returns a function that writes one of its modules."""
    monkeypatch.setattr(code, "LIBRARY", tmp_path)
    monkeypatch.setattr(code, "SCRIPTS", tmp_path / "scripts")
    caches = [code._path, code._read, code._states]

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
    write("scripts/run.py", "from spinome.step import run\n\nrun()\n")
    yield write
    for function in caches:
        function.cache_clear()


def test_docstrings_comments_and_layout_do_not_count(library):
    before = code.script_hash("run")
    library("step.py", '"""New words."""\nfrom spinome.io.tables import read\n\ndef run():\n    """Said."""\n    # why\n    return read( )\n')  # fmt: skip  # noqa: E501
    library("io/tables.py", "from spinome.shared import ONE\n\n\ndef read():\n    return 1\n")
    assert code.script_hash("run") == before


def test_code_counts_in_the_module_and_in_what_it_imports(library):
    hashes = {code.script_hash("run")}
    library("step.py", "from spinome.io.tables import read\n\n\ndef run():\n    return read() + 1\n")
    hashes.add(code.script_hash("run"))
    library("io/tables.py", "from spinome.shared import ONE\n\n\ndef read():\n    return 2\n")
    hashes.add(code.script_hash("run"))
    library("shared.py", "ONE = 2\n")
    hashes.add(code.script_hash("run"))
    assert len(hashes) == 4


@pytest.mark.parametrize(
    "line",
    ["import spinome.shared", "from spinome import shared", "from spinome.shared import ONE", "from . import shared",
     "from .shared import ONE", "def f():\n    from spinome import shared"],
)  # fmt: skip
def test_every_kind_of_import_is_followed(library, line):
    library("step.py", line + "\n")
    before = code.script_hash("run")
    library("shared.py", "ONE = 3\n")
    assert code.script_hash("run") != before


def test_a_string_that_is_no_docstring_counts(library):
    library("step.py", "TEXT = 'a'\n")
    before = code.script_hash("run")
    library("step.py", "TEXT = 'b'\n")
    assert code.script_hash("run") != before


def test_importing_a_submodule_does_not_draw_in_its_package(library):
    library("configuration/__init__.py", "from spinome.configuration import other\n")
    library("configuration/other.py", "A = 1\n")
    library("configuration/step.py", "B = 1\n")
    library("step.py", "from spinome.configuration import step\n")
    before = code.script_hash("run")
    library("configuration/other.py", "A = 2\n")
    library("__init__.py", '__version__ = "2"\n')
    assert code.script_hash("run") == before


def test_modules_that_import_each_other_end(library):
    library("shared.py", "from spinome import step\nONE = 1\n")
    assert code.script_hash("run")


def test_an_unknown_script_is_an_error(library):
    with pytest.raises(FileNotFoundError, match=r"stpe\.py"):
        code.script_hash("stpe")


def test_the_script_itself_counts(library):
    before = code.script_hash("run")
    library("scripts/run.py", "from spinome.step import run\n\nrun(2)\n")
    assert code.script_hash("run") != before


def test_plumbing_does_not_count_and_is_not_followed(library):
    library("logs.py", "from spinome.shared import ONE\n")
    library("step.py", "from spinome.logs import ONE\n")
    before = code.script_hash("run")
    library("shared.py", "ONE = 7\n")
    library("logs.py", "from spinome.shared import ONE\nTWO = 2\n")
    assert code.script_hash("run") == before


def test_a_file_beside_a_module_counts_where_the_module_names_it(library):
    library("page.html.j2", "<p>")
    library("step.py", "TEMPLATE = 'page.html.j2'\n")
    before = code.script_hash("run")
    library("page.html.j2", "<b>")
    assert code.script_hash("run") != before


def test_packages_hold_a_docstring_alone():
    """`script_hash` passes over the packages above a module, which is right as long as they do nothing."""
    allowed = {PACKAGE / "__init__.py", PACKAGE / "configuration" / "__init__.py"}
    for path in set(PACKAGE.rglob("__init__.py")) - allowed:
        body = ast.parse(path.read_text()).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), path


def test_no_step_depends_on_the_whole_configuration():
    """A step that imported the configuration would be rerun by a change of any key of any branch."""
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(["spinome", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        if not module.startswith(("spinome.configuration", "spinome.workflow")):
            assert not any(name.startswith("spinome.configuration") for name in code._read(path, module)[1]), module
