# The study that every branch plans from: configuration and sample sheets, read and validated once.
import gc
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

REPOSITORY = Path(str(workflow.current_basedir)).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
# set before the library is imported, so that nothing is written into the checkout
sys.dont_write_bytecode = True

from spinome.workflow.environment import leave_checkout_as_it_is, tell_limits

leave_checkout_as_it_is(CACHES := Path("~/.cache/spinome").expanduser())

from spinome import configuration
from spinome.configuration.files import repeated_keys
from spinome.hashing import content_hash
from spinome.ranges import first_lines
from spinome.workflow.asking import asks
from spinome.workflow.consistency import contradictions
from spinome.workflow.code import KEPT, code_by_package, script_hash
from spinome.workflow.sizes import of_files
from spinome.workflow.study import read_study

KEPT.read(CACHES / "code.json")


def planned(plan, *arguments):
    """What a plan's class or function makes of these arguments; its complaints without a traceback."""
    try:
        return plan(*arguments)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def passed_on(table, kept):
    """A table of units that may not be kept: it goes with them, so that a later run does not look for them."""
    return table if kept else temp(table)


def in_results(file):
    """A path of the results as Python takes it."""
    return file.replace("<results>", study.results)


config.update(planned(configuration.complete, config))
study = planned(read_study, config, REPOSITORY)
# all of it stays until the end; without this, Python looks for garbage among many thousand rows again and again
gc.freeze()
problems = [problem for file in workflow.configfiles for problem in repeated_keys(file)]
problems += contradictions(config, study.stacks, study.volumes, study.neurons, study.files)
if problems:
    raise WorkflowError(*first_lines(problems))
tell_limits(config["retrieve"]["limits"])

# each branch enters its tables of failed units here, and by step those of finished units; census.smk gathers them
failure_tables = []
finished_tables = {}
# each branch that has samples enters its name here; report.smk and census.smk take what there is
branches = []


wildcard_constraints:
    volume=r"[\w+-]+",
    neuron=r"[\w+-]+",
    specimen=r"[\w+-]+",
    field=r"[\w+-]+",
    timepoint=r"[\w+-]+",
    shard=r"[\w+-]+",
