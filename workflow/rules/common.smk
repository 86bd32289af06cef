# The study that every branch plans from: configuration and sample sheets, read and validated once.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

REPOSITORY = Path(str(workflow.current_basedir)).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
# set before the library is imported, so that nothing is written into the checkout
CACHES = Path("~/.cache/spinome").expanduser()
sys.pycache_prefix = str(CACHES / "python")

from spinome.workflow.caches import keep_caches_with_the_user

keep_caches_with_the_user(CACHES)

from spinome import configuration
from spinome.hashing import content_hash
from spinome.io.sources import file_of
from spinome.workflow.code import code_by_package, script_hash
from spinome.workflow.study import read_study


def planned(plan, *arguments):
    """What a plan's class or function makes of these arguments; its complaints without a traceback."""
    try:
        return plan(*arguments)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


config.update(planned(configuration.complete, config))
study = planned(read_study, config, REPOSITORY)

# each branch enters its tables of failed units here; census.smk gathers them
failure_tables = []
# each branch that has samples enters its name here; report.smk and census.smk take what there is
branches = []

# LEGACY names of branches that do not plan from the study yet
volumes, volume_of = list(study.volumes), study.volume_of


def model_file(name, teachers, suffix=".skops"):
    model = study.model(name, teachers, suffix)
    return model.trained[0].replace("<results>", config["results"]) if model.trained else model.given


wildcard_constraints:
    volume=r"[\w+-]+",
    neuron=r"[\w+-]+",
    specimen=r"[\w+-]+",
    field=r"[\w+-]+",
    timepoint=r"[\w+-]+",
    shard=r"[\w+-]+",
