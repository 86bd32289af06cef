"""A clone in another folder finds its results made; a change of the library reruns what reaches it, and no more."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from spinome.workflow import code

REPOSITORY = Path(__file__).parents[2]
# reads two-photon stacks, so that a few scripts of one branch and the report of what was simulated reach it
CHANGED = "spinome.io.scanimage"


@pytest.fixture
def clone(tmp_path):
    """The repository in another folder, each file with the time of its copying, as git would make it."""
    folder = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True)
    for name in listed.stdout.strip("\0").split("\0"):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    return folder


@pytest.fixture
def plan(snakemake, small, clone):
    """Return a function that plans in the clone on what was made from the repository."""

    def run():
        configuration = clone / "config" / "small" / "config.yaml"
        done = snakemake(small[0], "--dry-run", "--configfile", configuration, repository=clone)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def rules_of(script_names):
    """Rules whose script is one of these; a rule is named as its script."""
    text = "".join(file.read_text() for file in (REPOSITORY / "workflow" / "rules").glob("*.smk"))
    rules = re.findall(r"^rule (\w+):.*?(?=^rule |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name for name in rules if name in script_names}


@pytest.mark.slow
def test_a_moved_clone_reruns_nothing(plan):
    assert "Nothing to be done" in plan()


@pytest.mark.slow
def test_a_change_of_the_library_reruns_the_rules_that_reach_it(plan, clone):
    module = clone / "scripts" / Path(*CHANGED.split(".")).with_suffix(".py")
    module.write_text(module.read_text() + "\nCHANGED = True\n")
    said = plan()
    parts = re.split(r"^(?:local)?rule (\w+):$", said, flags=re.MULTILINE)
    blocks = list(zip(parts[1::2], parts[2::2]))
    reasons = {rule: set() for rule, _ in blocks}
    for rule, text in blocks:
        reasons[rule].add(re.search(r"reason: (.*)", text)[1])
    first = {rule for rule, texts in reasons.items() if any("Params have changed" in text for text in texts)}
    scripts = {path.stem for path in code.SCRIPTS.glob("*.py")}
    reach = {name for name in scripts if CHANGED in code.reached(name)}
    # of a rule that reaches it and follows another one, Snakemake gives one reason alone
    assert rules_of(reach) == {"census_evaluate", "report_phantom", "twophoton_register"} <= reasons.keys()
    # what was made with it is written down, whatever reaches it
    assert "twophoton_register" in first and first <= rules_of(reach) | {"provenance"}
    # the others follow: their inputs are made again
    others = {rule: texts for rule, texts in reasons.items() if rule not in first}
    assert all("Input files updated by another job" in text for texts in others.values() for text in texts), others
