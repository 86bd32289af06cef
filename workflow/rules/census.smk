# The census: one table of spines, what it says by cell class, how it compares with the truth, and what made it.
from snakemake import __version__ as snakemake_version
from spinome import __version__ as spinome_version


localrules:
    census,
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
        code=script_hash("census_spines"),
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
        code=script_hash("census_matches"),
    script:
        "../../scripts/census_matches.py"


rule census_agreement:
    input:
        links="<results>/linking/links.parquet",
        candidates=expand(
            "<results>/linking/candidates/{volume}/{shard}.parquet",
            volume=linking_plan.volumes,
            shard=linking_plan.shards,
        ),
        typing=expand("<results>/linking/typing/{volume}.parquet", volume=linking_plan.volumes),
        segments=[linking_plan.segmentation_file(volume) for volume in linking_plan.volumes],
        meshes=linked_meshes,
        labelled=linked_labels,
        spines="<results>/neurons/spines.parquet",
        truth=expand("<results>/linking/truth/{volume}/links.parquet", volume=linking_plan.scored),
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
        rows=[
            (row.volume, row.segmentation or f"{config['results']}/linking/segments/{row.volume}.zarr", row.voxel_nm)
            for row in study.volumes
        ],
        with_synapses=linking_plan.with_synapses,
        scored=linking_plan.scored,
        shards=config["linking"]["shards"],
        working_nm=config["linking"]["typing"]["working_nm"],
        threshold=config["linking"]["links"]["threshold"],
        code=script_hash("census_agreement"),
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
        volumes=linking_plan.volumes,
        code=script_hash("census_agreement_figures"),
    script:
        "../../scripts/census_agreement_figures.py"


rule census_tables:
    input:
        spines="<results>/spines.parquet",
        synapses="<results>/neurons/synapses.parquet",
        cells=study.cells,
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
            **{row.neuron: row.classes for row in study.neurons if row.classes},
            **{row.neuron: ["simulated"] for row in study.neurons if simulated(row.mesh)},
            **{row.volume: ["simulated"] for row in volumes if simulated(row.image or row.segmentation)},
        },
        code=script_hash("census_tables"),
    script:
        "../../scripts/census_tables.py"


rule census_evaluate:
    input:
        spines="<results>/spines.parquet",
        truth=sorted({row["truth"] for row in simulated_views}),
        samples=sorted({row["path"].partition("::")[0] for row in simulated_views}),
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
        code=script_hash("census_evaluate"),
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
        code=script_hash("census_figures"),
    script:
        "../../scripts/census_figures.py"


rule census_failures:
    input:
        failure_tables,
    output:
        "<results>/failures.parquet",
    log:
        "<logs>/census_failures.log",
    conda:
        "../../envs/census.yaml"
    params:
        code=script_hash("census_failures"),
    script:
        "../../scripts/census_failures.py"


# No rule takes these files as an input but the report, so that they make nothing else run again.
rule provenance:
    input:
        sorted({file for row in [*study.stacks, *study.volumes, *study.neurons] for file in row.files()}),
        study.cells,
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
        code=content_hash(code_by_package(), script_hash("provenance")),
    script:
        "../../scripts/provenance.py"


rule census:
    input:
        list(census_tables.values()),
        census_scores,
        "<results>/census/figures",
        agreement_figures,
