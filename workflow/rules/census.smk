# The census: one table of spines, what it says by cell class, how it compares with the truth, and what made it.
from snakemake import __version__ as snakemake_version
from spinome import __version__ as spinome_version
from spinome.provenance import code_by_package


localrules:
    census,
    census_completeness,
    census_failures,
    provenance,


include: "census_inputs.smk"


rule census_spines:
    input:
        **spine_tables,
        schema=str(REPOSITORY / "workflow/schemas/spines.schema.yaml"),
    output:
        "<results>/spines.parquet",
    log:
        "<logs>/census_spines.log",
    conda:
        "../../envs/census.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        code=code_hash("spinome.census.spines"),
    script:
        "../../scripts/census_spines.py"


rule census_matches:
    input:
        "<results>/spines.parquet",
    output:
        "<results>/census/matches.parquet",
    log:
        "<logs>/census_matches.log",
    conda:
        "../../envs/census.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        code=code_hash("spinome.census.matches"),
    script:
        "../../scripts/census_matches.py"


rule census_agreement:
    input:
        links="<results>/linking/links.parquet",
        candidates=expand(
            "<results>/linking/candidates/{volume}/{shard}.parquet", volume=linking_volumes, shard=linking_shards
        ),
        typing=expand("<results>/linking/typing/{volume}.parquet", volume=linking_volumes),
        segments=[file_of(linking_segmentation(volume)) for volume in linking_volumes],
        meshes=linked_meshes,
        labelled=linked_labels,
        spines="<results>/neurons/spines.parquet",
        truth=expand("<results>/linking/truth/{volume}.parquet", volume=linking_scored),
    output:
        "<results>/census/agreement.parquet",
    log:
        "<logs>/census_agreement.log",
    conda:
        "../../envs/linking.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        rows=[(volume, linking_segmentation(volume), volume_of[volume].voxel_nm) for volume in linking_volumes],
        with_synapses=linking_with_synapses,
        scored=linking_scored,
        shards=config["linking"]["shards"],
        working_nm=config["linking"]["typing"]["working_nm"],
        threshold=config["linking"]["links"]["threshold"],
        code=code_hash("spinome.census.agreement"),
    script:
        "../../scripts/census_agreement.py"


rule census_agreement_figures:
    input:
        agreement="<results>/census/agreement.parquet",
        meshes=linked_meshes,
        labelled=linked_labels,
    output:
        directory("<results>/census/agreement_figures"),
    log:
        "<logs>/census_agreement_figures.log",
    conda:
        "../../envs/linking.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        volumes=linking_volumes,
        code=code_hash("spinome.report.agreement", "spinome.report.style"),
    script:
        "../../scripts/census_agreement_figures.py"


rule census_tables:
    input:
        spines="<results>/spines.parquet",
        synapses="<results>/neurons/synapses.parquet",
        cells=sheet_file("cells") or [],
        neurons="<results>/neurons/neurons.parquet",
    output:
        counts="<results>/census/cells.parquet",
        classes="<results>/census/classes.parquet",
    log:
        "<logs>/census_tables.log",
    conda:
        "../../envs/census.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        # simulated cells are kept apart from real ones, whatever the sheet calls them
        classes={
            **{row.neuron: row.classes for row in neurons if row.classes},
            **{row.neuron: ["simulated"] for row in neurons if simulated(row.mesh)},
            **{row.volume: ["simulated"] for row in volumes if simulated(row.image or row.segmentation)},
        },
        roots={row.neuron: row.root_id for row in neurons if row.root_id},
        code=code_hash("spinome.census.counts", "spinome.census.tables"),
    script:
        "../../scripts/census_tables.py"


rule census_evaluate:
    input:
        spines="<results>/spines.parquet",
        truth=sorted({row["truth"] for row in simulated_views}),
        samples=sorted({row["path"].partition("::")[0] for row in simulated_views}),
        sessions="<results>/twophoton/sessions.parquet" if "twophoton" in branches else [],
        neurons="<results>/neurons/neurons.parquet" if "neurons" in branches else [],
        gaps=expand("<results>/linking/gaps/{volume}.parquet", volume=linking_computed),
    output:
        evaluation=report("<results>/census/evaluation.tsv", caption="../report/evaluation.rst", category="Tables"),
        seen="<results>/census/seen.parquet",
    log:
        "<logs>/census_evaluate.log",
    conda:
        "../../envs/census.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        views=simulated_views,
        code=code_hash("spinome.census.evaluate"),
    script:
        "../../scripts/census_evaluate.py"


rule census_figures:
    input:
        **{name: path for name, path in census_tables.items() if name in ("spines", "counts", "classes", "seen")},
    output:
        report(
            directory("<results>/census/figures"),
            patterns=["{name}.png"],
            caption="../report/census_figure.rst",
            category="Census",
        ),
    log:
        "<logs>/census_figures.log",
    conda:
        "../../envs/census.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        code=code_hash("spinome.report.census", "spinome.report.style"),
    script:
        "../../scripts/census_figures.py"


rule census_failures:
    input:
        **finished_tables,
        failures=failure_tables,
        neurons="<results>/neurons/neurons.parquet" if "neurons" in branches else [],
    output:
        failures="<results>/failures.parquet",
        completeness="<results>/completeness.tsv",
    log:
        "<logs>/census_failures.log",
    conda:
        "../../envs/census.yaml"
    params:
        steps=list(finished_tables),
        jobs=["twophoton_register"],
        code=code_hash("spinome.census.completeness"),
    script:
        "../../scripts/census_failures.py"


# The report is made before, whatever is missing; its content does not count, so that it makes nothing run again.
rule census_completeness:
    input:
        completeness="<results>/completeness.tsv",
        failures="<results>/failures.parquet",
        report=ancient("<results>/report.html"),
    output:
        "<results>/complete",
    log:
        "<logs>/census_completeness.log",
    conda:
        "../../envs/census.yaml"
    params:
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.census.completeness"),
    script:
        "../../scripts/census_completeness.py"


# No rule takes these files as an input but the report, so that they make nothing else run again.
rule provenance:
    input:
        sorted({file for row in [*stacks, *volumes, *neurons] for file in row.files()}),
        sheet_file("cells") or [],
        config["twophoton"]["track"]["corrections"] or [],
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
        code=content_hash(code_by_package()),
    script:
        "../../scripts/provenance.py"


rule census:
    input:
        list(census_tables.values()),
        census_scores,
        "<results>/census/figures",
        agreement_figures,
