# Comparisons of conditions: one job each, a table over all, and a figure of each.
from spinome.workflow.plans.compare import ComparePlan

compare_plan = planned(
    ComparePlan,
    study,
    tuple(branches),
    {"twophoton": twophoton_plan.scored, "neurons": neurons_plan.scored},
    twophoton_plan.series,
)


localrules:
    compare,


wildcard_constraints:
    comparison=r"[\w+-]+",


rule compare_fit:
    """Fit a comparison's mixed model, with intervals, the machine's error and a plan."""
    input:
        table=lambda wildcards: compare_plan.table(wildcards.comparison),
        pairs=lambda wildcards: compare_plan.pairs(wildcards.comparison),
        evaluation=lambda wildcards: compare_plan.evaluation(wildcards.comparison),
        answers=lambda wildcards: compare_plan.answers(wildcards.comparison),
    output:
        effects="<results>/compare/fit/{comparison}.effects.parquet",
        points="<results>/compare/fit/{comparison}.points.parquet",
        plans="<results>/compare/fit/{comparison}.plans.parquet",
    log:
        "<logs>/compare_fit/{comparison}.log",
    conda:
        "../../envs/compare.yaml"
    threads: 1
    resources:
        **asks("compare_fit", of_files),
    params:
        comparison=lambda wildcards: compare_plan.asked(wildcards.comparison),
        design=study.design.of("stacks", "neurons"),
        seed=config["seed"],
        inputs=lambda wildcards: compare_plan.stamps(wildcards.comparison),
        code=script_hash("compare_fit"),
    script:
        "../../scripts/compare_fit.py"


rule compare_tables:
    """Join all comparisons, and correct the p-values of those named together."""
    input:
        effects=expand("<results>/compare/fit/{comparison}.effects.parquet", comparison=compare_plan.names),
        points=expand("<results>/compare/fit/{comparison}.points.parquet", comparison=compare_plan.names),
        plans=expand("<results>/compare/fit/{comparison}.plans.parquet", comparison=compare_plan.names),
    output:
        comparisons=report(
            "<results>/compare/comparisons.parquet",
            caption="../report/compare_comparisons.rst",
            category="Comparisons",
        ),
        comparisons_csv="<results>/compare/comparisons.csv",
        points="<results>/compare/points.parquet",
        plans="<results>/compare/plans.parquet",
    log:
        "<logs>/compare_tables.log",
    conda:
        "../../envs/compare.yaml"
    threads: 1
    resources:
        **asks("compare_tables", of_files),
    params:
        schema=compare_plan.schema_hash,
        aside=study.aside(schema=compare_plan.schema),
        code=script_hash("compare_tables"),
    script:
        "../../scripts/compare_tables.py"


rule compare_figures:
    """Draw every animal of each comparison, and its effects with their intervals."""
    input:
        comparisons="<results>/compare/comparisons.parquet",
        points="<results>/compare/points.parquet",
    output:
        report(
            directory("<results>/compare/figures"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Comparisons",
        ),
    log:
        "<logs>/compare_figures.log",
    conda:
        "../../envs/compare.yaml"
    threads: 1
    resources:
        **asks("compare_figures", of_files),
    params:
        code=script_hash("compare_figures"),
    script:
        "../../scripts/compare_figures.py"


rule compare:
    """Run the comparisons of conditions."""
    input:
        compare_plan.results,
