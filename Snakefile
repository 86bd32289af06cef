# Spinome: from images of dendrites to one table of spines.
from snakemake.utils import min_version

min_version("9.14")

if "samples" not in config:

    configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    results=config["results"],
    resources=config["resources"],
    logs=f"{config['results']}/logs",
    benchmarks=f"{config['results']}/benchmarks",


include: "workflow/rules/retrieve.smk"
include: "workflow/rules/phantom.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/twophoton.smk"
include: "workflow/rules/synapses.smk"
include: "workflow/rules/linking.smk"
include: "workflow/rules/neurons.smk"
include: "workflow/rules/census.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        *[getattr(rules, name).input for name in [*branches, "census"]],
        "<results>/spines.parquet",
        "<results>/failures.parquet",
        "<results>/provenance.json",
        "<results>/report.html",
        "<results>/complete",
