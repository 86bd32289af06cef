"""Plan many configurations in one process: what Snakemake would record of each job, as JSON.

Standard input: a list of configurations, each whole. Standard output: a list of plans, each a mapping from a job (its
rule and outputs) to its rule, its recorded parameters and its inputs; or the words of an error, where there is no plan.
Rules that make nothing, such as the targets, are left out.
"""

import contextlib
import functools
import gc
import json
import sys
from pathlib import Path

from snakemake import api, workflow
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import ConfigSettings, DAGSettings, ExecutionSettings, OutputSettings, ResourceSettings

SNAKEFILE = Path(__file__).parents[2] / "workflow" / "Snakefile"


def planned(config):
    """The jobs of a configuration, as if nothing had been made yet."""
    with api.SnakemakeApi(OutputSettings(quiet={"all"})) as snakemake:
        flow = snakemake.workflow(
            ResourceSettings(cores=1), config_settings=ConfigSettings(config=config), snakefile=SNAKEFILE
        )._workflow
        flow.dag_settings, flow.execution_settings = DAGSettings(), ExecutionSettings()
        flow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        # no environment of conda is made here
        flow.dag.update_conda_envs = lambda: None
        flow._build_dag()
        return {
            " ".join([job.rule.name, *map(str, job.output)]): {
                "rule": job.rule.name,
                "params": flow.persistence._params(job),
                "inputs": sorted(map(str, job.input)),
            }
            for job in flow.dag.jobs
            if job.output
        }


def planned_or_why_not(config):
    """As `planned`; the words of the error where a configuration has no plan."""
    try:
        return planned(config)
    except WorkflowError as error:
        return str(error)


def read_rules_once():
    """The rules are the same in every plan: they are parsed and compiled in the first alone, which halves the time."""
    parse, parsed = workflow.parse, {}

    def parse_once(file, flow, *arguments, rulecount=0, **options):
        key = (file.get_path_or_uri(secret_free=True), rulecount)
        if key not in parsed:
            parsed[key] = parse(file, flow, *arguments, rulecount=rulecount, **options)
        return parsed[key]

    workflow.parse = parse_once
    workflow.compile = functools.cache(compile)


if __name__ == "__main__":
    read_rules_once()
    # each plan leaves much behind that only a slow search finds
    gc.set_threshold(200_000)
    configurations = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        plans = [planned_or_why_not(configuration) for configuration in configurations]
    json.dump(plans, sys.stdout)
