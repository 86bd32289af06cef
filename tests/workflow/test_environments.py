"""The conda environments: parsed, in step with the lock file, complete, and on every rule that runs a script."""

import ast
import importlib.metadata
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from rattler import MatchSpec

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "scripts"
ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
# names on conda-forge that differ from those on the Python package index
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
RULE = re.compile(r"^(?:rule|checkpoint) (\w+):\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def locked():
    lines = (REPOSITORY / "requirements.lock").read_text().split()
    return {normalise(name): version for name, version in (line.split("==") for line in lines)}


def dependencies(environment):
    return yaml.safe_load(environment.read_text())["dependencies"]


def rules():
    """Name and body of every rule that runs a script."""
    for file in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")):
        for name, body in RULE.findall(file.read_text()):
            if "script:" in body:
                yield name, body


def directive(body, name):
    found = re.search(rf"^\s*{name}:\s*\n?\s*\"([^\"]+)\"", body, re.MULTILINE)
    return found and Path(found[1]).name


@cache
def imported(file):
    """Distributions that a Python file needs, with those of the modules of Spinome that it imports."""
    modules, found, todo = set(), set(), [file]
    distributions = importlib.metadata.packages_distributions()
    while todo:
        for node in ast.walk(ast.parse(todo.pop().read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                # the names at the top of the package are imported when they are used
                if top == "spinome" and name != "spinome" and name not in modules:
                    modules.add(name)
                    stem = SCRIPTS.joinpath(*name.split("."))
                    todo += [path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()]
                elif top != "spinome" and top in distributions:
                    found.add(normalise(distributions[top][0]))
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pins_are_exact_and_those_of_the_lock_file(environment):
    for text in dependencies(environment):
        spec = MatchSpec(text)
        name = spec.name.normalized if hasattr(spec.name, "normalized") else str(spec.name)
        if name == "python":
            assert str(spec.version) == "3.11.*"
        elif name != "pip":
            assert str(spec.version) == f"=={locked()[normalise(CONDA_NAMES.get(name, name))]}", text


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda path: path.stem)
def test_channels_are_named(environment):
    assert yaml.safe_load(environment.read_text())["channels"] == ["conda-forge", "nodefaults"]


@pytest.mark.parametrize(("rule", "body"), rules(), ids=lambda value: value if value.isidentifier() else "")
def test_every_script_has_an_environment_that_holds_what_it_imports(rule, body):
    environment, script = directive(body, "conda"), directive(body, "script")
    assert environment, f"rule {rule} has no conda environment"
    names = {re.split(r"[ =]", text)[0] for text in dependencies(REPOSITORY / "envs" / environment)}
    held = {normalise(CONDA_NAMES.get(name, name)) for name in names}
    assert imported(SCRIPTS / script) <= held, f"envs/{environment} lacks what {script} imports"


@pytest.mark.parametrize(("rule", "body"), rules(), ids=lambda value: value if value.isidentifier() else "")
def test_a_script_is_named_as_its_rule(rule, body):
    assert directive(body, "script") == f"{rule}.py"
