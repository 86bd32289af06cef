"""Every script's hash covers just what the script imports: held against what Python itself imports."""

import ast
import importlib
import json
import os
import sys
from pathlib import Path

import pytest

from spinome.workflow import code

SCRIPTS = sorted(path.stem for path in code.SCRIPTS.glob("*.py"))
# third parties that many scripts load, imported once before a child is forked for each script
HEAVY = ["h5py", "matplotlib.pyplot", "numba", "pandas", "scipy.sparse", "skimage", "sklearn.ensemble", "tensorstore",
         "tifffile", "torch", "trimesh", "zarr"]  # fmt: skip


def imports_of(path):
    """The import statements of a script, as a module of nothing else."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return compile(tree, str(path), "exec")


@pytest.fixture(scope="module")
def imported():
    """Modules of the library that are loaded when the imports of a script run, by script."""
    for name in HEAVY:
        importlib.import_module(name)
    found = {}
    for script in SCRIPTS:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            for name in [name for name in sys.modules if name.partition(".")[0] == "spinome"]:
                del sys.modules[name]
            exec(imports_of(code.SCRIPTS / f"{script}.py"), {})
            names = [name for name in sys.modules if name.partition(".")[0] == "spinome"]
            os.write(write, json.dumps(names).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as stream:
            found[script] = set(json.loads(stream.read()))
        os.waitpid(child, 0)
    return found


def packages():
    return {
        ".".join(["spinome", *path.parent.relative_to(code.LIBRARY).parts])
        for path in code.LIBRARY.rglob("__init__.py")
    }


def counted(names):
    return {name for name in names if not code._is_plumbing(name)} - packages()


@pytest.mark.slow
def test_no_module_that_a_script_loads_is_missing_from_its_hash(imported):
    # what plumbing alone brings along does not count either
    brought = closure({name for names in imported.values() for name in names if code._is_plumbing(name)})
    missing = {script: sorted(counted(names) - code.reached(script) - brought) for script, names in imported.items()}
    assert not {script: names for script, names in missing.items() if names}


@pytest.mark.slow
def test_no_module_counts_that_a_script_cannot_load(imported):
    """What is not loaded at once has to be imported inside of a function that the script can reach."""
    for script, names in imported.items():
        late = set()
        for module in names & {*code.reached(script)}:
            late |= inner_imports(module)
        extra = code.reached(script) - names - closure(late) - packages()
        assert not extra, (script, extra)


def closure(modules):
    """These modules and all that they import."""
    waiting, within = set(modules), set()
    while waiting:
        module = waiting.pop()
        if module not in within:
            within.add(module)
            waiting |= set(code._read(code._path(module), module)[1])
    return within


def inner_imports(module):
    """Modules of the library that functions of a module import when they are called."""
    tree = ast.parse(code._path(module).read_text())
    inner = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spinome"):
                    inner |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in inner if code._path(name)}


def test_every_rule_with_a_script_carries_the_hash_of_that_script():
    rules = Path(code.LIBRARY.parents[1] / "workflow" / "rules")
    seen = set()
    for file in rules.glob("*.smk"):
        for body in file.read_text().split("\nrule ")[1:]:
            script = body.partition("script:")[2].partition("scripts/")[2].partition(".py")[0]
            if script:
                seen.add(script)
                assert f'script_hash("{script}")' in body, f"{file.name}: rule {body.partition(':')[0]}"
    assert seen == set(SCRIPTS)
