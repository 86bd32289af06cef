# The report: one page from the final tables, figures and scores of every branch that has samples.
localrules:
    report,


# what the sections are made of, besides figures and scores
report_tables = {
    "twophoton": {
        "tracked": "<results>/twophoton/spines.parquet",
        "turnover": "<results>/twophoton/turnover.parquet",
        "corrections": "<results>/twophoton/corrections.parquet",
        "sessions": "<results>/twophoton/sessions.parquet",
        "dendrites": "<results>/twophoton/dendrites.parquet",
    },
    "synapses": {"objects": "<results>/synapses/objects.parquet", "blocks": "<results>/synapses/blocks.parquet"},
    "linking": {
        "links": "<results>/linking/links.parquet",
        "violations": "<results>/linking/violations.parquet",
        "queue": "<results>/linking/queue.tsv",
    },
    "neurons": {
        "neuron_synapses": "<results>/neurons/synapses.parquet",
        "neuron_spines": "<results>/neurons/spines.parquet",
        "neuron_table": "<results>/neurons/neurons.parquet",
    },
}


# the scores of the branches whose target rules ask for them
report_scores = {
    f"{branch}_evaluation": f"<results>/{branch}/evaluation.tsv"
    for branch in [*branches, "census"]
    if any(str(file).endswith(f"{branch}/evaluation.tsv") for file in getattr(rules, branch).input)
}


rule report_phantom:
    input:
        samples=sorted({row["path"].partition("::")[0] for row in simulated_views}),
        truth=sorted({row["truth"] for row in simulated_views}),
        synapses=sorted(
            {
                f"<resources>/phantom/{row['specimen']}/truth_synapses.parquet"
                for row in simulated_views
                if row["view"] == "linking"
            }
        ),
    output:
        directory("<results>/phantom/figures"),
    log:
        "<logs>/report_phantom.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        views=simulated_views,
        code=code_hash("spinome.report.phantom"),
    script:
        "../../scripts/report_phantom.py"


rule report_page:
    input:
        **{name: path for branch in branches for name, path in report_tables[branch].items()},
        **{f"{branch}_figures": f"<results>/{branch}/figures" for branch in [*branches, "census"]},
        **({"census_agreement_figures": agreement_figures[0]} if agreement_figures else {}),
        **report_scores,
        **census_tables,
        **({"phantom_figures": "<results>/phantom/figures"} if truth_specimens else {}),
        provenance="<results>/provenance.json",
        configuration="<results>/config.yaml",
        truth=[f"<resources>/phantom/{specimen}/truth_spines.parquet" for specimen in truth_specimens],
        template=str(REPOSITORY / "scripts/spinome/report/page.html.j2"),
    output:
        report("<results>/report.html", caption="../report/report.rst", category="Report"),
    log:
        "<logs>/report_page.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        branches=branches,
        max_failed_fraction=config["max_failed_fraction"],
        specimens=truth_specimens,
        samples={
            "stacks": sorted({row.series for row in stacks}),
            "volumes": [row.volume for row in volumes],
            "neurons": [row.neuron for row in neurons],
        },
        code=code_hash("spinome.report.page", "spinome.report.summaries"),
    script:
        "../../scripts/report_page.py"


rule report:
    input:
        "<results>/report.html",
