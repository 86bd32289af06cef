# What models learn from the answers that people gave in `spinome review`.


rule review_learn:
    """Teach the judge of two-photon candidates from answers; the old one is kept where the new one is not better."""
    input:
        **twophoton_plan.per_stack("stacks", study.stacks),
        **twophoton_plan.per_stack("candidates", study.stacks),
        model=twophoton_plan.taught_judge.trained,
    output:
        model="<results>/review/learn/judge.skops",
        scores="<results>/review/learn/scores.tsv",
    log:
        "<logs>/review_learn.log",
    benchmark:
        "<benchmarks>/review_learn.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        each=stack_rows(study.stacks, "specimen", "field", "timepoint", "series"),
        seed=config["seed"],
        model=twophoton_plan.taught_judge.stamp,
        inputs=study.given([config["review"]["answers"]]) if twophoton_plan.learns else [],
        aside=study.aside(model=twophoton_plan.taught_judge.given, answers=config["review"]["answers"]),
        code=script_hash("review_learn"),
    script:
        "../../scripts/review_learn.py"


rule review_sample:
    """Find the answers to questions drawn by lot, for the machine's error in comparisons."""
    input:
        tables=lambda wildcards: compare_plan.asked_about(wildcards.kind),
    output:
        sample="<results>/review/sample/{kind}.parquet",
    log:
        "<logs>/review_sample/{kind}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=20,
    params:
        kind=lambda wildcards: wildcards.kind,
        seed=config["seed"],
        inputs=lambda wildcards: study.given([config["review"]["answers"]]),
        aside=study.aside(answers=config["review"]["answers"]),
        code=script_hash("review_sample"),
    script:
        "../../scripts/review_sample.py"
