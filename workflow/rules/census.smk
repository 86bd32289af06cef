# The census: one table of spines, what it says by cell class, how it compares with the truth, and what made it.
from snakemake import __version__ as snakemake_version
from spinome import __version__ as spinome_version
from spinome.workflow.plans.census import CensusPlan, Linked

census_plan = planned(
    CensusPlan,
    study,
    phantom_plan,
    tuple(branches),
    {
        "twophoton": twophoton_plan.scored,
        "synapses": synapses_plan.scored,
        "linking": linking_plan.scored,
        "neurons": neurons_plan.scored,
    },
    Linked(
        segmentation={row.volume: row.segmentation for row in study.volumes},
        candidates={
            volume: expand(
                "<results>/linking/candidates/{volume}/{shard}.parquet", volume=volume, shard=linking_plan.shards
            )
            for volume in linking_plan.volumes
        },
        true_links={volume: f"<results>/linking/truth/{volume}/links.parquet" for volume in linking_plan.scored},
        with_synapses=linking_plan.with_synapses,
    ),
    compare_plan.tables,
)


localrules:
    census,
    census_completeness,
    census_failures,
    provenance,


rule census_spines:
    """Join the spines of all branches in one data set, one branch and one shard after another."""
    input:
        **census_plan.spines,
    output:
        spines=report(
            directory("<results>/spines.parquet"),
            patterns=["{name}.parquet"],
            caption="../report/census_spines.rst",
            category="Census",
        ),
        specimens="<results>/census/specimens.parquet",
        levels="<results>/census/levels.parquet",
    log:
        "<logs>/census_spines.log",
    conda:
        "../../envs/census.yaml"
    resources:
        **asks("census_spines", of_files),
    params:
        schema=census_plan.schema_hash,
        design=census_plan.design_of_spines,
        aside=study.aside(schema=census_plan.schema),
        code=script_hash("census_spines"),
    script:
        "../../scripts/census_spines.py"


rule census_matches:
    """Match the spines of specimens that several branches saw in one frame."""
    input:
        spines="<results>/spines.parquet",
        specimens="<results>/census/specimens.parquet",
    output:
        "<results>/census/matches.parquet",
    log:
        "<logs>/census_matches.log",
    conda:
        "../../envs/census.yaml"
    resources:
        **asks("census_matches", of_files),
    params:
        code=script_hash("census_matches"),
    script:
        "../../scripts/census_matches.py"


rule census_agreement:
    """Hold the links of all volumes against the labels of the linked meshes."""
    input:
        **census_plan.agreement,
        links="<results>/linking/links.parquet",
        limits="<results>/linking/limits.parquet",
        spines="<results>/neurons/spines.parquet",
    output:
        "<results>/census/agreement.parquet",
    log:
        "<logs>/census_agreement.log",
    conda:
        "../../envs/linking.yaml"
    resources:
        **asks("census_agreement", linking_plan.every(linking_plan.volumes)),
    params:
        each=census_plan.compared,
        working_nm=config["linking"]["typing"]["working_nm"],
        inputs=study.given(census_plan.linked.segmentation.values()),
        aside=study.aside(segmentation=census_plan.linked.segmentation),
        code=script_hash("census_agreement"),
    script:
        "../../scripts/census_agreement.py"


rule census_agreement_figures:
    """Draw how links and labels of the linked meshes agree, and the conflicts to look at first."""
    input:
        **census_plan.linked_meshes,
        agreement="<results>/census/agreement.parquet",
    output:
        directory("<results>/census/agreement_figures"),
    log:
        "<logs>/census_agreement_figures.log",
    conda:
        "../../envs/linking.yaml"
    resources:
        **asks("census_agreement_figures", of_files),
    params:
        code=script_hash("census_agreement_figures"),
    script:
        "../../scripts/census_agreement_figures.py"


rule census_tables:
    """Count inputs, outputs and spines by cell and by class of cell."""
    input:
        spines="<results>/spines.parquet",
        synapses="<results>/neurons/synapses.parquet",
        cells=study.cells,
        neurons="<results>/neurons/neurons.parquet",
    output:
        counts="<results>/census/cells.parquet",
        classes="<results>/census/classes.parquet",
    log:
        "<logs>/census_tables.log",
    conda:
        "../../envs/census.yaml"
    resources:
        **asks("census_tables", of_files),
    params:
        classes=census_plan.classes,
        roots={row.neuron: row.root_id for row in study.neurons if row.root_id},
        design=study.design.of("neurons", "volumes", "cells"),
        inputs=study.given(study.cells),
        code=script_hash("census_tables"),
    script:
        "../../scripts/census_tables.py"


rule census_evaluate:
    """Hold the joint table against the spines of simulated specimens."""
    input:
        **census_plan.of_views(census_plan.views),
        **per_volume("gaps", linking_plan.computed, "<results>/linking/gaps/{volume}.parquet"),
        spines="<results>/spines.parquet",
        sessions=branch("twophoton" in branches, then="<results>/twophoton/sessions.parquet", otherwise=[]),
        neurons=branch("neurons" in branches, then="<results>/neurons/neurons.parquet", otherwise=[]),
    output:
        evaluation=report(
            "<results>/census/evaluation.tsv", caption="../report/census_evaluation.rst", category="Census"
        ),
        seen="<results>/census/seen.parquet",
    log:
        "<logs>/census_evaluate.log",
    conda:
        "../../envs/census.yaml"
    resources:
        **asks("census_evaluate", of_files),
    params:
        each=census_plan.said(census_plan.views),
        inputs=census_plan.stamps(census_plan.views),
        code=script_hash("census_evaluate"),
    script:
        "../../scripts/census_evaluate.py"


rule census_figures:
    """Draw the figures of the census."""
    input:
        **census_plan.drawn,
    output:
        report(
            directory("<results>/census/figures"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Census",
        ),
    log:
        "<logs>/census_figures.log",
    conda:
        "../../envs/census.yaml"
    resources:
        **asks("census_figures", of_files),
    params:
        code=script_hash("census_figures"),
    script:
        "../../scripts/census_figures.py"


rule census_failures:
    """Gather the failed units of every step."""
    input:
        **{f"finished/{name}": tables for name, tables in finished_tables.items()},
        failures=failure_tables,
        neurons=branch("neurons" in branches, then="<results>/neurons/neurons.parquet", otherwise=[]),
    output:
        failures="<results>/failures.parquet",
        completeness="<results>/completeness.tsv",
    log:
        "<logs>/census_failures.log",
    conda:
        "../../envs/census.yaml"
    params:
        code=script_hash("census_failures"),
    script:
        "../../scripts/census_failures.py"


# The report is made before, whatever is missing; its content does not count, so that it makes nothing run again.
rule census_completeness:
    """End the run with an error where more of a step is missing than may be."""
    input:
        completeness="<results>/completeness.tsv",
        failures="<results>/failures.parquet",
        tables=failure_tables,
        report=ancient("<results>/report.html"),
    output:
        "<results>/complete",
    log:
        "<logs>/census_completeness.log",
    # what is missing is still missing a moment later
    retries: 0
    conda:
        "../../envs/census.yaml"
    params:
        max_failed_fraction=config["max_failed_fraction"],
        code=script_hash("census_completeness"),
    script:
        "../../scripts/census_completeness.py"


# No rule takes these files as an input but the report, so that they make nothing else run again.
rule provenance:
    """Write what made the results: configuration, versions, code and inputs."""
    input:
        given=census_plan.given_files,
        fetched=neurons_plan.fetched_tables,
        # after the jobs that read the given files, and hash them
        read=failure_tables,
    output:
        provenance="<results>/provenance.json",
        config="<results>/config.yaml",
    log:
        "<logs>/provenance.log",
    conda:
        "../../envs/census.yaml"
    params:
        spinome=spinome_version,
        snakemake=snakemake_version,
        configuration=content_hash(config),
        code=content_hash(code_by_package(), script_hash("provenance")),
    script:
        "../../scripts/provenance.py"


rule census:
    """Run the census: the joint table of spines, and what it says by class of cell and against the truth."""
    input:
        census_plan.results,
