# The report: one page from the final tables, figures and scores of every branch that has samples.
from spinome.workflow.plans.methods import MethodsPlan

methods_plan = MethodsPlan(study, twophoton_plan, synapses_plan, linking_plan, neurons_plan)


localrules:
    report,
    report_methods,


rule report_phantom:
    """Draw what was simulated, as the samples show it."""
    input:
        **census_plan.of_views(census_plan.pictured),
        **census_plan.true_synapses(census_plan.pictured),
    output:
        directory("<results>/phantom/figures"),
    log:
        "<logs>/report_phantom.log",
    conda:
        "../../envs/report.yaml"
    resources:
        **asks("report_phantom", of_files),
    params:
        each=census_plan.said(census_plan.pictured),
        inputs=census_plan.stamps(census_plan.pictured),
        code=script_hash("report_phantom"),
    script:
        "../../scripts/report_phantom.py"


rule report_methods:
    """Write the Methods paragraph of the run, and what it cites."""
    input:
        **census_plan.counted,
        provenance="<results>/provenance.json",
        configuration="<results>/config.yaml",
    output:
        text=report("<results>/methods.md", caption="../report/methods.rst", category="Report"),
        bibliography="<results>/methods.bib",
    log:
        "<logs>/report_methods.log",
    conda:
        "../../envs/census.yaml"
    params:
        told=methods_plan.told,
        changed=methods_plan.changed,
        design=census_plan.design,
        code=script_hash("report_methods"),
    script:
        "../../scripts/report_methods.py"


rule report_page:
    """Put the figures, scores and tables of every branch on one page."""
    input:
        **census_plan.page,
        provenance="<results>/provenance.json",
        configuration="<results>/config.yaml",
        methods="<results>/methods.md",
        bibliography="<results>/methods.bib",
    output:
        report("<results>/report.html", caption="../report/report.rst", category="Report"),
    log:
        "<logs>/report_page.log",
    conda:
        "../../envs/report.yaml"
    resources:
        **asks("report_page", of_files),
    params:
        branches=branches,
        samples=census_plan.shown_samples,
        design=census_plan.design,
        max_failed_fraction=config["max_failed_fraction"],
        code=script_hash("report_page"),
    script:
        "../../scripts/report_page.py"


rule report:
    """Make the report."""
    input:
        "<results>/report.html",
