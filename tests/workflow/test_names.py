"""One word names a step everywhere: rule, script, log, benchmark, table of failures, result folder and library."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LIBRARY = REPOSITORY / "scripts" / "spinome"
# folders of a rule beside the one of its step
FOLDERS = {
    # what is not known goes with what is
    "linking_segments": {"gaps"},
    # a volume of its own, that viewers open
    "synapses_merge": {"labels", "gaps", "candidates"},
    # one for each program
    "twophoton_exchange": {"napari", "review", "synapflow"},
}
# figures lie with what they show
BRANCHES = {"report_phantom": "phantom"}
# steps of which the library knows only parts, with what their scripts call
LIBRARY_WORDS = {
    "linking_assemble": "fill_pyramid",
    "linking_segments": "cut",
    "linking_thresholds": "cut",
    "linking_train_agglomeration": "train_forest",
    "linking_true_graph": "line_graph",
    "retrieve_file": "download",
    # joins what shards made, and counts
    "twophoton_tables": "turnover",
    # one writer for each program
    "twophoton_exchange": "napari_tracks",
}
# tests of more than one module, by folder
TESTS = {
    "io": {"object_storage", "readers"},
    "linking": {"bad_input"},
    "neurons": {"bad_input"},
    "report": {"run"},
    "retrieve": {"hostile", "real_sources"},
    "review": {"browser", "relearned_run"},
    "scores": {"coco"},
    "synapses": {"bad_input", "shards"},
    "twophoton": {"bad_input"},
}


def scripted_rules():
    """Body of each rule that runs a script, by name, with the file it stands in."""
    for file in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")):
        rules = re.split(r"^ *rule (\w+):\n", file.read_text(), flags=re.MULTILINE)[1:]
        yield from ((file.stem, name, body) for name, body in zip(rules[::2], rules[1::2]) if "script:" in body)


RULES = {name: (file, body) for file, name, body in scripted_rules()}


def outputs(body):
    """Paths that a rule writes."""
    block = re.search(r"^ *output:\n(.*?)(?=^    \w+:$|^        \w+:$|\Z)", body, re.MULTILINE | re.DOTALL)
    return re.findall(r'"(<\w+>[^"]*)"', block[1])


def words_of(script):
    """Names and modules of the library that a script imports, and the words that they are made of.

    `spinome.io.tables` is left out: every script reads and writes tables.
    """
    found = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module.startswith("spinome.")
            and node.module != "spinome.io.tables"
        ):
            found |= {*node.module.split(".")[1:], *(name.name for name in node.names)}
    return found | {word for name in found for word in name.split("_")}


def test_scripts_and_rules_are_the_same():
    assert len(RULES) > 70
    assert set(RULES) == {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}


@pytest.mark.parametrize("rule", RULES)
def test_the_files_of_a_rule_have_its_name(rule):
    file, body = RULES[rule]
    # the rule of provenance has no branch
    assert rule.startswith(f"{file}_") or "_" not in rule
    assert re.findall(r'scripts/(\w+)\.py"', body) == [rule]
    assert re.findall(r'script_hash\("(\w+)"\)', body) == [rule]
    for place in ("logs", "benchmarks"):
        # a rule of seconds has no benchmark
        assert set(re.findall(rf'"<{place}>/([\w-]+)', body)) <= {rule}, place
    assert f'"<logs>/{rule}' in body
    assert {path.split("/")[2] for path in outputs(body) if path.startswith("<results>/failures/")} <= {rule}


@pytest.mark.parametrize("rule", RULES)
def test_the_result_folder_of_a_step_has_its_name(rule):
    branch, _, step = rule.partition("_")
    paths = [path.split("/") for path in outputs(RULES[rule][1])]
    assert paths
    # tables of all units lie beside the folders and are named by what is in them
    folders = {tuple(path[1:3]) for path in paths if path[0] == "<results>" and len(path) > 3 and path[1] != "failures"}
    folders |= {tuple(path[1:]) for path in paths if path[-1].endswith("figures")}
    if rule in BRANCHES:
        assert folders == {(BRANCHES[rule], "figures")}
        return
    assert {folder for of, folder in folders if of == branch} - {step} == FOLDERS.get(rule, set())
    assert {of for of, _ in folders} <= {branch}


@pytest.mark.parametrize("rule", RULES)
def test_the_library_calls_a_step_as_its_rule(rule):
    branch, _, step = rule.partition("_")
    words = words_of(REPOSITORY / "scripts" / f"{rule}.py")
    if step.endswith("figures"):
        # what is drawn is a module of the report, named by the branch or by the step before
        room, names = "report", [step.removesuffix("figures").strip("_") or branch]
    else:
        room, names = branch, (step or branch).split("_")
    module = "_".join(names) in words and any(
        room in path.parts or not step for path in LIBRARY.rglob(f"{'_'.join(names)}.py")
    )
    known = module or {name.removesuffix("s") for name in names} <= {word.removesuffix("s") for word in words}
    assert known == (rule not in LIBRARY_WORDS)
    assert known or LIBRARY_WORDS[rule] in words


@pytest.mark.parametrize("room", TESTS)
def test_tests_are_named_as_what_they_test(room):
    folder = REPOSITORY / "tests" / room
    others = set()
    for test in folder.rglob("test_*.py"):
        module = LIBRARY / room / test.relative_to(folder).with_name(test.name.removeprefix("test_"))
        if not module.exists() and not module.with_suffix("").is_dir():
            others.add(module.stem)
    assert others == TESTS[room]


def test_rooms_without_exceptions_have_none():
    rooms = {path.name for path in LIBRARY.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    # the workflow is tested as a whole and by its modules
    for room in rooms - set(TESTS) - {"workflow", "configuration"}:
        for test in (REPOSITORY / "tests" / room).rglob("test_*.py"):
            module = LIBRARY / room / test.relative_to(REPOSITORY / "tests" / room)
            assert module.with_name(test.name.removeprefix("test_")).exists(), test
