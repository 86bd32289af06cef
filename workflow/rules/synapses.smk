# The synapses branch: voxels classified per cuboid, parts merged to objects, objects counted per block.


include: "synapses_inputs.smk"


localrules:
    synapses,


rule synapses:
    input:
        branch(
            bool(synapses_volumes),
            then=["<results>/synapses/objects.parquet", "<results>/synapses/blocks.parquet"],
            otherwise=[],
        ),
        branch(
            bool(synapses_volumes) or bool(config["synapses"]["uniformity"]["block_tables"]),
            then=["<results>/synapses/uniformity.parquet", "<results>/synapses/figures"],
            otherwise=[],
        ),
        branch(bool(synapses_scored), then="<results>/synapses/evaluation.tsv", otherwise=[]),
        branch(
            bool(synapses_scored) and config["synapses"]["sweep"]["run"],
            then="<results>/synapses/sweep.tsv",
            otherwise=[],
        ),


rule synapses_grey:
    input:
        lambda wildcards: synapses_files(wildcards.volume, "image"),
    output:
        "<results>/synapses/grey/{volume}.json",
    log:
        "<logs>/synapses_grey/{volume}.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=15,
    params:
        row=synapses_row("image"),
        code=code_hash("spinome.synapses.grey"),
    script:
        "../../scripts/synapses_grey.py"


rule synapses_template:
    input:
        lambda wildcards: [file for volume in synapses_marked for file in synapses_files(volume, "image")],
        marked=list(synapses_marked.values()),
        grey=expand("<results>/synapses/grey/{volume}.json", volume=synapses_marked),
    output:
        "<results>/synapses/vesicle_profile.tsv",
    log:
        "<logs>/synapses_template.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=15,
    params:
        rows=lambda wildcards: {volume: synapses_columns(volume, "image") for volume in synapses_marked},
        code=code_hash("spinome.synapses.template"),
    script:
        "../../scripts/synapses_template.py"


rule synapses_train:
    input:
        lambda wildcards: [
            file
            for row in synapses_training()
            for file in synapses_files(row.volume, "image", "membrane", "vesicles", "truth_synapses")
        ],
        grey=expand("<results>/synapses/grey/{volume}.json", volume=synapses_trained),
        profile=synapses_profile,
        start=synapses_start,
    output:
        model=f"<results>/models/synapses{synapses_suffix}",
    log:
        "<logs>/synapses_train.log",
    benchmark:
        "<benchmarks>/synapses_train.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=120,
    params:
        rows=lambda wildcards: {
            row.volume: synapses_columns(row.volume, "image", "membrane", "vesicles", "truth_synapses")
            for row in synapses_training()
        },
        cuboid=config["synapses"]["cuboid"],
        classify=config["synapses"]["classify"],
        store=f"{config['results']}/units/synapses_train",
        seed=config["seed"],
        code=code_hash("spinome.synapses.train", "spinome.synapses.learners"),
    script:
        "../../scripts/synapses_train.py"


rule synapses_detect:
    input:
        lambda wildcards: synapses_files(wildcards.volume, "image", "membrane", "vesicles", "synapses"),
        model=branch(
            lambda wildcards: wildcards.volume in synapses_detected,
            then=[model_file("synapses", config["synapses"]["train"], synapses_suffix)],
            otherwise=[],
        ),
        grey=branch(
            lambda wildcards: wildcards.volume in synapses_detected,
            then=["<results>/synapses/grey/{volume}.json"],
            otherwise=[],
        ),
        profile=branch(
            lambda wildcards: wildcards.volume in synapses_detected,
            then=synapses_profile,
            otherwise=[],
        ),
    output:
        done="<results>/synapses/detect/{volume}/{shard}.parquet",
        failures="<results>/failures/synapses_detect/{volume}/{shard}.parquet",
    log:
        "<logs>/synapses_detect/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/synapses_detect/{volume}/{shard}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=synapses_memory(90),
        runtime=60,
    params:
        row=synapses_row("image", "membrane", "vesicles", "synapses"),
        cuboid=config["synapses"]["cuboid"],
        threshold=config["synapses"]["merge"]["threshold"],
        classify=config["synapses"]["classify"],
        shards=config["synapses"]["shards"],
        store=f"{config['results']}/units/synapses_detect/{{volume}}/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.synapses.detect", "spinome.synapses.classifiers"),
    script:
        "../../scripts/synapses_detect.py"


rule synapses_merge:
    input:
        lambda wildcards: synapses_files(wildcards.volume, "image", "synapses"),
        parts=expand("<results>/synapses/detect/{{volume}}/{shard}.parquet", shard=synapses_shards),
        model=branch(
            lambda wildcards: wildcards.volume in synapses_detected,
            then=[model_file("synapses", config["synapses"]["train"], synapses_suffix)],
            otherwise=[],
        ),
    output:
        objects="<results>/synapses/merged/{volume}.parquet",
        ids=expand("<results>/synapses/ids/{{volume}}/{shard}.npz", shard=synapses_shards),
        labels=directory("<results>/synapses/labels/{volume}.zarr"),
        gaps="<results>/synapses/gaps/{volume}.parquet",
    log:
        "<logs>/synapses_merge/{volume}.log",
    benchmark:
        "<benchmarks>/synapses_merge/{volume}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        row=synapses_row("image", "synapses"),
        cuboid=config["synapses"]["cuboid"],
        rules={key: value for key, value in config["synapses"]["merge"].items() if key != "threshold"},
        code=code_hash("spinome.synapses.merge"),
    script:
        "../../scripts/synapses_merge.py"


rule synapses_mask:
    input:
        lambda wildcards: synapses_files(wildcards.volume, "image"),
    output:
        directory("<results>/synapses/masks/{volume}.zarr"),
    log:
        "<logs>/synapses_mask/{volume}.log",
    benchmark:
        "<benchmarks>/synapses_mask/{volume}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=240,
    params:
        row=synapses_row("image"),
        cuboid=config["synapses"]["cuboid"],
        mask=config["synapses"]["mask"],
        code=code_hash("spinome.synapses.mask"),
    script:
        "../../scripts/synapses_mask.py"


rule synapses_density:
    input:
        lambda wildcards: synapses_files(wildcards.volume, "mask"),
        mask=branch(
            lambda wildcards: wildcards.volume in synapses_masked,
            then=["<results>/synapses/masks/{volume}.zarr"],
            otherwise=[],
        ),
        parts="<results>/synapses/detect/{volume}/{shard}.parquet",
        ids="<results>/synapses/ids/{volume}/{shard}.npz",
        labels="<results>/synapses/labels/{volume}.zarr",
    output:
        done="<results>/synapses/density/{volume}/{shard}.parquet",
        failures="<results>/failures/synapses_density/{volume}/{shard}.parquet",
    log:
        "<logs>/synapses_density/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/synapses_density/{volume}/{shard}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=synapses_memory(24),
        runtime=60,
    params:
        row=synapses_row("mask"),
        cuboid=config["synapses"]["cuboid"],
        block_um=config["synapses"]["density"]["block_um"],
        store=f"{config['results']}/units/synapses_density/{{volume}}/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.synapses.density", "spinome.synapses.mask", "spinome.synapses.parts"),
    script:
        "../../scripts/synapses_density.py"


rule synapses_blocks:
    input:
        counts=expand(
            "<results>/synapses/density/{volume}/{shard}.parquet", volume=synapses_volumes, shard=synapses_shards
        ),
        objects=expand("<results>/synapses/merged/{volume}.parquet", volume=synapses_volumes),
        labels=expand("<results>/synapses/labels/{volume}.zarr", volume=synapses_volumes),
    output:
        blocks="<results>/synapses/blocks.parquet",
        objects="<results>/synapses/objects.parquet",
        gaps="<results>/synapses/gaps.parquet",
    log:
        "<logs>/synapses_blocks.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        volumes=synapses_volumes,
        cuboid=config["synapses"]["cuboid"],
        block_um=config["synapses"]["density"]["block_um"],
        code=code_hash("spinome.synapses.density"),
    script:
        "../../scripts/synapses_blocks.py"


rule synapses_uniformity:
    input:
        blocks=branch(bool(synapses_volumes), then=["<results>/synapses/blocks.parquet"], otherwise=[]),
        tables=list(config["synapses"]["uniformity"]["block_tables"].values()),
        evaluation=branch(bool(synapses_scored), then=["<results>/synapses/evaluation.tsv"], otherwise=[]),
    output:
        "<results>/synapses/uniformity.parquet",
    log:
        "<logs>/synapses_uniformity.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=30,
    params:
        settings=config["synapses"]["uniformity"],
        # the detector is better than it is scored to be on what it was trained on
        scored_alike=[volume for volume in synapses_detected if volume not in synapses_trained],
        seed=config["seed"],
        code=code_hash("spinome.synapses.uniformity"),
    script:
        "../../scripts/synapses_uniformity.py"


rule synapses_evaluate:
    input:
        lambda wildcards: [file for volume in synapses_scored for file in synapses_files(volume, "truth_synapses")],
        objects="<results>/synapses/objects.parquet",
        gaps="<results>/synapses/gaps.parquet",
        labels=expand("<results>/synapses/labels/{volume}.zarr", volume=synapses_scored),
    output:
        "<results>/synapses/evaluation.tsv",
    log:
        "<logs>/synapses_evaluate.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        truth={volume: volume_of[volume].truth_synapses for volume in synapses_scored},
        seed=config["seed"],
        code=code_hash("spinome.synapses.evaluate"),
    script:
        "../../scripts/synapses_evaluate.py"


rule synapses_sweep:
    input:
        lambda wildcards: [
            file
            for volume in synapses_scored
            for file in synapses_files(volume, "image", "membrane", "vesicles", "truth_synapses")
        ],
        model=model_file("synapses", config["synapses"]["train"], synapses_suffix),
        grey=expand("<results>/synapses/grey/{volume}.json", volume=synapses_scored),
        profile=synapses_profile,
    output:
        "<results>/synapses/sweep.tsv",
    log:
        "<logs>/synapses_sweep.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=120,
    params:
        rows={
            volume: synapses_columns(volume, "image", "membrane", "vesicles", "truth_synapses")
            for volume in synapses_scored
        },
        cuboid=config["synapses"]["cuboid"],
        classify=config["synapses"]["classify"],
        code=code_hash("spinome.synapses.sweep", "spinome.synapses.classifiers"),
    script:
        "../../scripts/synapses_sweep.py"


rule synapses_figures:
    input:
        lambda wildcards: [
            file for volume in synapses_volumes for file in synapses_files(volume, "image", "truth_synapses", "mask")
        ],
        objects=branch(bool(synapses_volumes), then=["<results>/synapses/objects.parquet"], otherwise=[]),
        blocks=branch(bool(synapses_volumes), then=["<results>/synapses/blocks.parquet"], otherwise=[]),
        gaps=branch(bool(synapses_volumes), then=["<results>/synapses/gaps.parquet"], otherwise=[]),
        labels=expand("<results>/synapses/labels/{volume}.zarr", volume=synapses_volumes),
        masks=expand("<results>/synapses/masks/{volume}.zarr", volume=synapses_masked),
        tables=list(config["synapses"]["uniformity"]["block_tables"].values()),
        uniformity="<results>/synapses/uniformity.parquet",
        sweep=branch(
            bool(synapses_scored) and config["synapses"]["sweep"]["run"],
            then=["<results>/synapses/sweep.tsv"],
            otherwise=[],
        ),
    output:
        directory("<results>/synapses/figures"),
    log:
        "<logs>/synapses_figures.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        rows={volume: synapses_columns(volume, "image", "truth_synapses", "mask") for volume in synapses_volumes},
        detected=synapses_detected,
        scored=synapses_scored,
        cuboid=config["synapses"]["cuboid"],
        names=list(config["synapses"]["uniformity"]["block_tables"]),
        code=code_hash("spinome.report.synapses", "spinome.report.density", "spinome.report.synapse_detection"),
    script:
        "../../scripts/synapses_figures.py"
