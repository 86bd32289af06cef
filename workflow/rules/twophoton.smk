# The twophoton branch: from stacks to spines with sizes and ids through time.


include: "twophoton_inputs.smk"


localrules:
    twophoton,


rule twophoton:
    input:
        branch(
            bool(stacks),
            then=[
                "<results>/twophoton/spines.parquet",
                "<results>/twophoton/links.parquet",
                *[
                    f"<results>/twophoton/{name}.parquet"
                    for name in ("dendrites", "sessions", "turnover", "survival", "size_changes", "corrections")
                ],
                "<results>/twophoton/figures",
                *[f"<results>/twophoton/synapflow/{series}.csv" for series in twophoton_series],
            ],
            otherwise=[],
        ),
        branch(bool(twophoton_scored), then=["<results>/twophoton/evaluation.tsv"], otherwise=[]),


rule twophoton_register:
    input:
        stack=lambda wildcards: stack_row(wildcards).path,
    output:
        stack=directory("<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr"),
        projection="<results>/twophoton/register/{specimen}.{field}.{timepoint}.tif",
        shifts="<results>/twophoton/register/{specimen}.{field}.{timepoint}.tsv",
        failures="<results>/failures/twophoton_register/{specimen}.{field}.{timepoint}.parquet",
    log:
        "<logs>/twophoton_register/{specimen}.{field}.{timepoint}.log",
    benchmark:
        "<benchmarks>/twophoton_register/{specimen}.{field}.{timepoint}.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        **config["twophoton"]["registration"],
        channel=lambda wildcards: stack_row(wildcards).channel,
        voxel_um=lambda wildcards: stack_row(wildcards).voxel_um,
        code=script_hash("twophoton_register"),
    script:
        "../../scripts/twophoton_register.py"


rule twophoton_train:
    input:
        stacks=stack_files(twophoton_trained, "register", ".zarr"),
        truths=training_stacks("train", "truth_spines"),
        dendrites=[row.truth_dendrites for row in twophoton_trained if row.truth_dendrites],
        fields=config["twophoton"]["training"]["fields"] or [],
        start=config["twophoton"]["training"]["start"] or [],
    output:
        model="<results>/models/detector.safetensors",
        history="<results>/twophoton/training.tsv",
    log:
        "<logs>/twophoton_train.log",
    benchmark:
        "<benchmarks>/twophoton_train.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    params:
        rows=[row.model_dump() for row in twophoton_trained],
        max_failed_fraction=config["max_failed_fraction"],
        checkpoint=f"{config['results']}/units/twophoton_train/checkpoint.pt",
        settings=config["twophoton"]["training"],
        seed=config["seed"],
        code=script_hash("twophoton_train"),
    script:
        "../../scripts/twophoton_train.py"


rule twophoton_detect:
    input:
        stack="<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr",
        detector=model_file("detector", config["twophoton"]["train"], ".safetensors"),
        boxes=config["twophoton"]["detect"]["boxes"] or [],
    output:
        boxes="<results>/twophoton/detect/{specimen}.{field}.{timepoint}.parquet",
    log:
        "<logs>/twophoton_detect/{specimen}.{field}.{timepoint}.log",
    benchmark:
        "<benchmarks>/twophoton_detect/{specimen}.{field}.{timepoint}.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        code=script_hash("twophoton_detect"),
    script:
        "../../scripts/twophoton_detect.py"


rule twophoton_depth_track:
    input:
        boxes="<results>/twophoton/detect/{specimen}.{field}.{timepoint}.parquet",
        stack="<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr",
    output:
        boxes="<results>/twophoton/depth_track/{specimen}.{field}.{timepoint}.boxes.parquet",
        spines="<results>/twophoton/depth_track/{specimen}.{field}.{timepoint}.parquet",
    log:
        "<logs>/twophoton_depth_track/{specimen}.{field}.{timepoint}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=10,
    params:
        gap_slices=config["twophoton"]["detect"]["gap_slices"],
        code=script_hash("twophoton_depth_track"),
    script:
        "../../scripts/twophoton_depth_track.py"


rule twophoton_train_judge:
    input:
        candidates=stack_files(judge_trained, "depth_track", ".parquet"),
        stacks=stack_files(judge_trained, "register", ".zarr"),
        truths=training_stacks("train_judge", "truth_spines"),
        dendrites=[row.truth_dendrites for row in judge_trained if row.truth_dendrites],
    output:
        model="<results>/models/judge.skops",
    log:
        "<logs>/twophoton_train_judge.log",
    benchmark:
        "<benchmarks>/twophoton_train_judge.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        rows=[row.model_dump() for row in judge_trained],
        max_failed_fraction=config["max_failed_fraction"],
        seed=config["seed"],
        code=script_hash("twophoton_train_judge"),
    script:
        "../../scripts/twophoton_train_judge.py"


rule twophoton_judge:
    input:
        spines=series_files("depth_track", ".parquet"),
        projections=series_files("register", ".tif"),
        stacks=series_files("register", ".zarr"),
        # boxes of another detector come with its own scores
        judge=branch(
            bool(config["twophoton"]["detect"]["boxes"]),
            then=[],
            otherwise=model_file("judge", config["twophoton"]["train_judge"]),
        ),
    output:
        spines="<results>/twophoton/judge/{specimen}.{field}.parquet",
    log:
        "<logs>/twophoton_judge/{specimen}.{field}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=20,
    params:
        timepoints=lambda wildcards: [row.timepoint for row in series_rows(wildcards)],
        score=config["twophoton"]["detect"]["score"],
        across_sessions=config["twophoton"]["detect"]["across_sessions"],
        max_shift_um=config["twophoton"]["track"]["max_shift_um"],
        gate_um=config["twophoton"]["track"]["gate_um"],
        code=script_hash("twophoton_judge"),
    script:
        "../../scripts/twophoton_judge.py"


rule twophoton_measure:
    input:
        stack="<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr",
        spines="<results>/twophoton/judge/{specimen}.{field}.parquet",
        dendrites=lambda wildcards: stack_row(wildcards).dendrites or [],
    output:
        spines="<results>/twophoton/measure/{specimen}.{field}.{timepoint}.parquet",
        dendrites="<results>/twophoton/measure/{specimen}.{field}.{timepoint}.dendrites.parquet",
        corrections="<results>/twophoton/measure/{specimen}.{field}.{timepoint}.corrections.parquet",
    log:
        "<logs>/twophoton_measure/{specimen}.{field}.{timepoint}.log",
    benchmark:
        "<benchmarks>/twophoton_measure/{specimen}.{field}.{timepoint}.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2500 * attempt,
        runtime=20,
    params:
        **config["twophoton"]["measure"],
        corrections=corrections_of("no spine", "missed spine"),
        code=script_hash("twophoton_measure"),
    script:
        "../../scripts/twophoton_measure.py"


rule twophoton_correspond:
    input:
        spines=series_files("measure", ".parquet"),
        projections=series_files("register", ".tif"),
        stacks=series_files("register", ".zarr"),
    output:
        expected="<results>/twophoton/correspond/{specimen}.{field}.parquet",
        shifts="<results>/twophoton/correspond/{specimen}.{field}.tsv",
    log:
        "<logs>/twophoton_correspond/{specimen}.{field}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=20,
    params:
        max_shift_um=config["twophoton"]["track"]["max_shift_um"],
        gate_um=config["twophoton"]["track"]["gate_um"],
        gap_sessions=config["twophoton"]["track"]["gap_sessions"],
        code=script_hash("twophoton_correspond"),
    script:
        "../../scripts/twophoton_correspond.py"


rule twophoton_time_track:
    input:
        spines=series_files("measure", ".parquet"),
        dendrites=series_files("measure", ".dendrites.parquet"),
        stacks=series_files("register", ".zarr"),
        expected="<results>/twophoton/correspond/{specimen}.{field}.parquet",
        shifts="<results>/twophoton/correspond/{specimen}.{field}.tsv",
    output:
        spines="<results>/twophoton/time_track/{specimen}.{field}.spines.parquet",
        links="<results>/twophoton/time_track/{specimen}.{field}.links.parquet",
        dendrites="<results>/twophoton/time_track/{specimen}.{field}.dendrites.parquet",
        sessions="<results>/twophoton/time_track/{specimen}.{field}.sessions.parquet",
        corrections="<results>/twophoton/time_track/{specimen}.{field}.corrections.parquet",
    log:
        "<logs>/twophoton_time_track/{specimen}.{field}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=20,
    params:
        sessions=series_sessions,
        gate_um=config["twophoton"]["track"]["gate_um"],
        corrections=corrections_of("same", "different"),
        code=script_hash("twophoton_time_track"),
    script:
        "../../scripts/twophoton_time_track.py"


rule twophoton_exchange:
    input:
        spines="<results>/twophoton/time_track/{specimen}.{field}.spines.parquet",
        links="<results>/twophoton/time_track/{specimen}.{field}.links.parquet",
        expected="<results>/twophoton/correspond/{specimen}.{field}.parquet",
        boxes=series_files("depth_track", ".boxes.parquet"),
        stacks=series_files("register", ".zarr"),
    output:
        detections="<results>/twophoton/synapflow/{specimen}.{field}.detections.csv",
        tracks="<results>/twophoton/synapflow/{specimen}.{field}.csv",
        napari="<results>/twophoton/napari/{specimen}.{field}.csv",
        review="<results>/twophoton/review/{specimen}.{field}.tsv",
    log:
        "<logs>/twophoton_exchange/{specimen}.{field}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=10,
    params:
        sessions=series_sessions,
        code=script_hash("twophoton_exchange"),
    script:
        "../../scripts/twophoton_exchange.py"


rule twophoton_tables:
    input:
        spines=expand("<results>/twophoton/time_track/{series}.spines.parquet", series=twophoton_series),
        links=expand("<results>/twophoton/time_track/{series}.links.parquet", series=twophoton_series),
        dendrites=expand("<results>/twophoton/time_track/{series}.dendrites.parquet", series=twophoton_series),
        sessions=expand("<results>/twophoton/time_track/{series}.sessions.parquet", series=twophoton_series),
        corrections=[
            *stack_files(stacks, "measure", ".corrections.parquet"),
            *expand("<results>/twophoton/time_track/{series}.corrections.parquet", series=twophoton_series),
        ],
    output:
        spines="<results>/twophoton/spines.parquet",
        links="<results>/twophoton/links.parquet",
        dendrites="<results>/twophoton/dendrites.parquet",
        sessions="<results>/twophoton/sessions.parquet",
        corrections="<results>/twophoton/corrections.parquet",
        turnover="<results>/twophoton/turnover.parquet",
        survival="<results>/twophoton/survival.parquet",
        size_changes="<results>/twophoton/size_changes.parquet",
    log:
        "<logs>/twophoton_tables.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=20,
    params:
        max_failed_fraction=config["max_failed_fraction"],
        seed=config["seed"],
        code=script_hash("twophoton_tables"),
    script:
        "../../scripts/twophoton_tables.py"


rule twophoton_evaluate:
    input:
        candidates=expand(
            "<results>/twophoton/judge/{series}.parquet", series=sorted({row.series for row in twophoton_scored})
        ),
        spines="<results>/twophoton/spines.parquet",
        stacks=stack_files(twophoton_scored, "register", ".zarr"),
        truths=[row.truth_spines for row in twophoton_scored],
        dendrites=[row.truth_dendrites for row in twophoton_scored if row.truth_dendrites],
    output:
        evaluation="<results>/twophoton/evaluation.tsv",
        compared="<results>/twophoton/compared.parquet",
    log:
        "<logs>/twophoton_evaluate.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=20,
    params:
        rows=[row.model_dump() for row in twophoton_scored],
        code=script_hash("twophoton_evaluate"),
    script:
        "../../scripts/twophoton_evaluate.py"


rule twophoton_figures:
    input:
        spines="<results>/twophoton/spines.parquet",
        links="<results>/twophoton/links.parquet",
        turnover="<results>/twophoton/turnover.parquet",
        survival="<results>/twophoton/survival.parquet",
        stacks=stack_files(stacks, "register", ".zarr"),
        projections=stack_files(stacks, "register", ".tif"),
        truths=[row.truth_spines for row in stacks if row.truth_spines],
        compared=branch(bool(twophoton_scored), then="<results>/twophoton/compared.parquet", otherwise=[]),
        history=branch(bool(config["twophoton"]["train"]), then="<results>/twophoton/training.tsv", otherwise=[]),
    output:
        directory("<results>/twophoton/figures"),
    log:
        "<logs>/twophoton_figures.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        rows=[row.model_dump() for row in stacks],
        code=script_hash("twophoton_figures"),
    script:
        "../../scripts/twophoton_figures.py"
