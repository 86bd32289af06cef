# The twophoton branch: from stacks to spines with sizes and ids through time.
from spinome.workflow.plans.twophoton import TRUTH, TwophotonPlan, stack_rows

twophoton_plan = planned(TwophotonPlan, study)
if study.stacks:
    branches.append("twophoton")
failure_tables += twophoton_plan.failures


localrules:
    twophoton,


rule twophoton:
    """Run the twophoton branch."""
    input:
        # of those that were forgotten, so that they are tried again
        twophoton_plan.failures,
        branch(
            bool(study.stacks),
            then=[
                "<results>/twophoton/spines.parquet",
                "<results>/twophoton/links.parquet",
                *[
                    f"<results>/twophoton/{name}.parquet"
                    for name in ("dendrites", "sessions", "turnover", "survival", "size_changes", "corrections")
                ],
                "<results>/twophoton/figures",
                *[f"<results>/twophoton/synapflow/{series}.csv" for series in twophoton_plan.series],
            ],
            otherwise=[],
        ),
        branch(bool(twophoton_plan.scored), then=["<results>/twophoton/evaluation.tsv"], otherwise=[]),


rule twophoton_register:
    """Register the slices of a stack, and project it; a bad stack is marked as failed."""
    input:
        stack=twophoton_plan.file("path"),
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
        **asks("twophoton_register", twophoton_plan.stack_size),
    params:
        **config["twophoton"]["registration"],
        channel=twophoton_plan.column("channel"),
        voxel_um=twophoton_plan.column("voxel_um"),
        dataset=twophoton_plan.dataset,
        inputs=twophoton_plan.stamps("path"),
        code=script_hash("twophoton_register"),
    script:
        "../../scripts/twophoton_register.py"


rule twophoton_train:
    """Train the detector on the series and field views that the configuration names."""
    input:
        **twophoton_plan.per_stack("stacks", twophoton_plan.trained),
        **twophoton_plan.given(twophoton_plan.trained, *TRUTH),
        fields=config["twophoton"]["training"]["fields"],
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
        **asks("twophoton_train", twophoton_plan.resampled_sizes_of(twophoton_plan.trained)),
    params:
        each=stack_rows(twophoton_plan.trained, "timepoint"),
        settings=twophoton_plan.training,
        start=twophoton_plan.start.stamp,
        seed=config["seed"],
        inputs=[
            *twophoton_plan.stamps_of(twophoton_plan.trained, *TRUTH),
            *study.given(config["twophoton"]["training"]["fields"]),
        ],
        aside=study.aside(start=twophoton_plan.start.given),
        code=script_hash("twophoton_train"),
    script:
        "../../scripts/twophoton_train.py"


rule twophoton_detect:
    """Detect spines in every slice of a stack, or take the boxes of another detector."""
    input:
        stack="<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr",
        model=twophoton_plan.detector.trained,
        boxes=twophoton_plan.given_boxes or [],
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
        **asks("twophoton_detect", twophoton_plan.resampled_size),
    params:
        model=twophoton_plan.detector.stamp,
        inputs=study.given([twophoton_plan.given_boxes]),
        aside=study.aside(model=twophoton_plan.detector.given),
        code=script_hash("twophoton_detect"),
    script:
        "../../scripts/twophoton_detect.py"


rule twophoton_depth_track:
    """Join the boxes of a spine through the slices of a stack."""
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
        **asks("twophoton_depth_track", twophoton_plan.stack_size),
    params:
        gap_slices=config["twophoton"]["detect"]["gap_slices"],
        given=bool(twophoton_plan.given_boxes),
        code=script_hash("twophoton_depth_track"),
    script:
        "../../scripts/twophoton_depth_track.py"


rule twophoton_train_judge:
    """Train the judge of candidates on the series that the configuration names."""
    input:
        **twophoton_plan.per_stack("stacks", twophoton_plan.judge_trained),
        **twophoton_plan.per_stack("candidates", twophoton_plan.judge_trained),
        **twophoton_plan.given(twophoton_plan.judge_trained, *TRUTH),
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
        **asks("twophoton_train_judge", twophoton_plan.sizes_of(twophoton_plan.judge_trained)),
    params:
        each=twophoton_plan.judge_teachers,
        seed=config["seed"],
        inputs=twophoton_plan.stamps_of(twophoton_plan.judge_trained, *TRUTH),
        aside=study.aside(),
        code=script_hash("twophoton_train_judge"),
    script:
        "../../scripts/twophoton_train_judge.py"


rule twophoton_judge:
    """Judge which candidates of a series are spines, and whether the judge knows such series."""
    input:
        unpack(twophoton_plan.of_series("stacks", "projections", "candidates")),
        model=twophoton_plan.judge.trained,
    output:
        spines="<results>/twophoton/judge/{specimen}.{field}.parquet",
        limits="<results>/twophoton/judge/{specimen}.{field}.limits.parquet",
    log:
        "<logs>/twophoton_judge/{specimen}.{field}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("twophoton_judge", twophoton_plan.series_size),
    params:
        timepoints=twophoton_plan.timepoints,
        score=config["twophoton"]["detect"]["score"],
        across_sessions=twophoton_plan.across_sessions,
        model=twophoton_plan.judge.stamp,
        aside=study.aside(model=twophoton_plan.judge.given),
        code=script_hash("twophoton_judge"),
    script:
        "../../scripts/twophoton_judge.py"


rule twophoton_measure:
    """Measure the spines and dendrites of a stack."""
    input:
        stack="<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr",
        spines="<results>/twophoton/judge/{specimen}.{field}.parquet",
        dendrites=twophoton_plan.file("dendrites"),
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
        **asks("twophoton_measure", twophoton_plan.stack_size),
    params:
        **config["twophoton"]["measure"],
        corrections=twophoton_plan.corrections_of("no spine", "missed spine"),
        inputs=twophoton_plan.stamps("dendrites"),
        code=script_hash("twophoton_measure"),
    script:
        "../../scripts/twophoton_measure.py"


rule twophoton_correspond:
    """Find where the spines of each session of a series should lie in the sessions beside it."""
    input:
        unpack(twophoton_plan.of_series("stacks", "projections", "spines")),
    output:
        expected="<results>/twophoton/correspond/{specimen}.{field}.parquet",
        shifts="<results>/twophoton/correspond/{specimen}.{field}.tsv",
    log:
        "<logs>/twophoton_correspond/{specimen}.{field}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("twophoton_correspond", twophoton_plan.series_size),
    params:
        timepoints=twophoton_plan.timepoints,
        max_shift_um=config["twophoton"]["track"]["max_shift_um"],
        gate_um=config["twophoton"]["track"]["gate_um"],
        gap_sessions=config["twophoton"]["track"]["gap_sessions"],
        code=script_hash("twophoton_correspond"),
    script:
        "../../scripts/twophoton_correspond.py"


rule twophoton_time_track:
    """Give the spines of a series one id through all sessions."""
    input:
        unpack(twophoton_plan.of_series("stacks", "spines", "dendrites")),
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
        **asks("twophoton_time_track", twophoton_plan.series_size),
    params:
        days=twophoton_plan.days,
        gate_um=config["twophoton"]["track"]["gate_um"],
        gap_sessions=config["twophoton"]["track"]["gap_sessions"],
        corrections=twophoton_plan.corrections_of("same", "different"),
        code=script_hash("twophoton_time_track"),
    script:
        "../../scripts/twophoton_time_track.py"


rule twophoton_exchange:
    """Write a series for other programs, and what a person should look at."""
    input:
        unpack(twophoton_plan.of_series("stacks", "boxes")),
        spines="<results>/twophoton/time_track/{specimen}.{field}.spines.parquet",
        links="<results>/twophoton/time_track/{specimen}.{field}.links.parquet",
        expected="<results>/twophoton/correspond/{specimen}.{field}.parquet",
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
        **asks("twophoton_exchange", twophoton_plan.series_size),
    params:
        timepoints=twophoton_plan.timepoints,
        code=script_hash("twophoton_exchange"),
    script:
        "../../scripts/twophoton_exchange.py"


rule twophoton_tables:
    """Gather all series into the tables of the branch."""
    input:
        spines=expand("<results>/twophoton/time_track/{series}.spines.parquet", series=twophoton_plan.series),
        links=expand("<results>/twophoton/time_track/{series}.links.parquet", series=twophoton_plan.series),
        dendrites=expand("<results>/twophoton/time_track/{series}.dendrites.parquet", series=twophoton_plan.series),
        sessions=expand("<results>/twophoton/time_track/{series}.sessions.parquet", series=twophoton_plan.series),
        corrections=[
            *twophoton_plan.per_stack("corrections", study.stacks).values(),
            *expand("<results>/twophoton/time_track/{series}.corrections.parquet", series=twophoton_plan.series),
        ],
        limits=expand("<results>/twophoton/judge/{series}.limits.parquet", series=twophoton_plan.series),
    output:
        spines=report(
            "<results>/twophoton/spines.parquet", caption="../report/twophoton_spines.rst", category="Two-photon"
        ),
        links="<results>/twophoton/links.parquet",
        dendrites="<results>/twophoton/dendrites.parquet",
        sessions="<results>/twophoton/sessions.parquet",
        corrections="<results>/twophoton/corrections.parquet",
        limits="<results>/twophoton/limits.parquet",
        turnover=report(
            "<results>/twophoton/turnover.parquet", caption="../report/twophoton_turnover.rst", category="Two-photon"
        ),
        survival="<results>/twophoton/survival.parquet",
        size_changes="<results>/twophoton/size_changes.parquet",
    log:
        "<logs>/twophoton_tables.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("twophoton_tables", of_files),
    params:
        gap_sessions=config["twophoton"]["track"]["gap_sessions"],
        seed=config["seed"],
        design=study.design.of("stacks"),
        code=script_hash("twophoton_tables"),
    script:
        "../../scripts/twophoton_tables.py"


rule twophoton_evaluate:
    """Hold detections, tracks and sizes against the truth of stacks that no model was trained on."""
    input:
        **twophoton_plan.per_stack("stacks", twophoton_plan.scored),
        **twophoton_plan.given(twophoton_plan.scored, *TRUTH),
        candidates=expand(
            "<results>/twophoton/judge/{series}.parquet", series=sorted({row.series for row in twophoton_plan.scored})
        ),
        spines="<results>/twophoton/spines.parquet",
    output:
        evaluation=report(
            "<results>/twophoton/evaluation.tsv", caption="../report/twophoton_evaluation.rst", category="Two-photon"
        ),
        compared="<results>/twophoton/compared.parquet",
    log:
        "<logs>/twophoton_evaluate.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("twophoton_evaluate", twophoton_plan.sizes_of(twophoton_plan.scored)),
    params:
        each=stack_rows(twophoton_plan.scored, "specimen", "field", "timepoint", "day"),
        inputs=twophoton_plan.stamps_of(twophoton_plan.scored, *TRUTH),
        code=script_hash("twophoton_evaluate"),
    script:
        "../../scripts/twophoton_evaluate.py"


rule twophoton_figures:
    """Draw the figures of the branch."""
    input:
        **twophoton_plan.per_stack("stacks", study.stacks),
        **twophoton_plan.per_stack("projections", study.stacks),
        **twophoton_plan.given(study.stacks, "truth_spines"),
        spines="<results>/twophoton/spines.parquet",
        links="<results>/twophoton/links.parquet",
        turnover="<results>/twophoton/turnover.parquet",
        survival="<results>/twophoton/survival.parquet",
        compared=branch(bool(twophoton_plan.scored), then="<results>/twophoton/compared.parquet", otherwise=[]),
        history=branch(bool(twophoton_plan.detector.trained), then="<results>/twophoton/training.tsv", otherwise=[]),
    output:
        report(
            directory("<results>/twophoton/figures"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Two-photon",
        ),
    log:
        "<logs>/twophoton_figures.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("twophoton_figures", twophoton_plan.sizes_of(study.stacks)),
    params:
        each=stack_rows(study.stacks, "specimen", "field", "timepoint", "day"),
        inputs=twophoton_plan.stamps_of(study.stacks, "truth_spines"),
        code=script_hash("twophoton_figures"),
    script:
        "../../scripts/twophoton_figures.py"
