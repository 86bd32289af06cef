# The synapses branch: voxels classified per cuboid, parts merged to objects, objects counted per block.
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.plans.volumes import per_volume

synapses_plan = planned(SynapsesPlan, study)
if synapses_plan.volumes:
    branches.append("synapses")
failure_tables += synapses_plan.failures
finished_tables |= synapses_plan.finished


localrules:
    synapses,


rule synapses:
    """Run the synapses branch."""
    input:
        # of those that were forgotten, so that they are tried again
        synapses_plan.failures,
        branch(
            bool(synapses_plan.volumes),
            then=["<results>/synapses/objects.parquet", "<results>/synapses/blocks.parquet"],
            otherwise=[],
        ),
        expand("<results>/synapses/pyramid/{volume}.tsv", volume=synapses_plan.volumes),
        branch(
            bool(synapses_plan.volumes or synapses_plan.block_tables),
            then=["<results>/synapses/uniformity.parquet", "<results>/synapses/figures"],
            otherwise=[],
        ),
        branch(bool(synapses_plan.scored), then="<results>/synapses/evaluation.tsv", otherwise=[]),
        branch(bool(synapses_plan.swept), then="<results>/synapses/sweep.tsv", otherwise=[]),


rule synapses_grey:
    """Measure what the grey values of a volume mean."""
    input:
        image=synapses_plan.file("image"),
    output:
        "<results>/synapses/grey/{volume}.json",
    log:
        "<logs>/synapses_grey/{volume}.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_grey", synapses_plan.whole),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        inputs=synapses_plan.stamps("image"),
        aside=synapses_plan.aside("image"),
        code=script_hash("synapses_grey"),
    script:
        "../../scripts/synapses_grey.py"


rule synapses_vesicle_profile:
    """Measure the mean profile of the vesicles that a person has marked."""
    input:
        **synapses_plan.files_of(synapses_plan.marked, "image"),
        **per_volume("grey", synapses_plan.marked, "<results>/synapses/grey/{volume}.json"),
        **{f"marked/{volume}": table for volume, table in synapses_plan.marked.items()},
    output:
        "<results>/synapses/vesicle_profile.tsv",
    log:
        "<logs>/synapses_vesicle_profile.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_vesicle_profile", synapses_plan.every(synapses_plan.marked)),
    params:
        each=synapses_plan.voxels_of(synapses_plan.marked),
        inputs=[
            *synapses_plan.stamps_of(synapses_plan.marked, "image"),
            *study.given(synapses_plan.marked.values()),
        ],
        aside=study.aside(rows=synapses_plan.rows_of(synapses_plan.marked, "image")),
        code=script_hash("synapses_vesicle_profile"),
    script:
        "../../scripts/synapses_vesicle_profile.py"


rule synapses_teach:
    """Label a volume by a published network, for a network of Spinome to learn from."""
    input:
        image=synapses_plan.file("image"),
        grey="<results>/synapses/grey/{volume}.json",
        teacher=synapses_plan.teacher,
    output:
        directory("<results>/synapses/teach/{volume}.zarr"),
    log:
        "<logs>/synapses_teach/{volume}.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_teach", synapses_plan.whole),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        inputs=synapses_plan.stamps("image"),
        aside=synapses_plan.aside("image"),
        code=script_hash("synapses_teach"),
    script:
        "../../scripts/synapses_teach.py"


rule synapses_train:
    """Train the voxel classifier on the volumes that the configuration names."""
    input:
        **per_volume("taught", synapses_plan.taught, "<results>/synapses/teach/{volume}.zarr"),
        **synapses_plan.files_of(synapses_plan.learnt, *synapses_plan.evidence, "truth_synapses"),
        **per_volume("grey", synapses_plan.learnt, "<results>/synapses/grey/{volume}.json"),
        profile=synapses_plan.profile,
    output:
        model=f"<results>/models/synapses{synapses_plan.suffix}",
        figure=report(
            directory("<results>/synapses/training"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Synapses",
        ),
    log:
        "<logs>/synapses_train.log",
    benchmark:
        "<benchmarks>/synapses_train.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_train", synapses_plan.every(synapses_plan.learnt)),
    params:
        each=synapses_plan.voxels_of(synapses_plan.learnt),
        cuboid=config["synapses"]["cuboid"],
        learning=synapses_plan.learning,
        recipe=synapses_plan.recipe,
        tuned=synapses_plan.tuned,
        start=synapses_plan.start.stamp,
        seed=config["seed"],
        inputs=synapses_plan.stamps_of(synapses_plan.learnt, *synapses_plan.evidence, "truth_synapses"),
        aside=study.aside(
            rows=synapses_plan.rows_of(synapses_plan.learnt, *synapses_plan.evidence, "truth_synapses"),
            start=synapses_plan.start.given,
            store=f"{config['results']}/units/synapses_train",
        ),
        code=script_hash("synapses_train"),
    script:
        "../../scripts/synapses_train.py"


rule synapses_translate:
    """Write a published network, which the configuration names by its address, as a network of Spinome."""
    input:
        synapses_plan.published,
    output:
        "<results>/models/synapses_published.safetensors",
    log:
        "<logs>/synapses_translate.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_translate", of_files),
    params:
        checksum=synapses_plan.checksum,
        code=script_hash("synapses_translate"),
    script:
        "../../scripts/synapses_translate.py"


rule synapses_adapt:
    """Fit the given network to a volume, without labels."""
    input:
        image=synapses_plan.file("image"),
        grey="<results>/synapses/grey/{volume}.json",
        model=synapses_plan.translated,
    output:
        "<results>/synapses/adapt/{volume}.safetensors",
    log:
        "<logs>/synapses_adapt/{volume}.log",
    benchmark:
        "<benchmarks>/synapses_adapt/{volume}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_adapt", synapses_plan.whole),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        model=synapses_plan.model.stamp,
        inputs=synapses_plan.stamps("image"),
        aside=synapses_plan.aside("image", model=synapses_plan.model.given),
        code=script_hash("synapses_adapt"),
    script:
        "../../scripts/synapses_adapt.py"


rule synapses_limits:
    """Hold what a volume looks like against what the model was trained on."""
    input:
        image=synapses_plan.file("image"),
        grey="<results>/synapses/grey/{volume}.json",
        model=synapses_plan.model_made,
    output:
        "<results>/synapses/limits/{volume}.tsv",
    log:
        "<logs>/synapses_limits/{volume}.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_limits", synapses_plan.whole),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        model=synapses_plan.model_stamp,
        inputs=synapses_plan.stamps("image"),
        aside=synapses_plan.aside("image", model=synapses_plan.model.given),
        code=script_hash("synapses_limits"),
    script:
        "../../scripts/synapses_limits.py"


rule synapses_detect:
    """Find the parts of synapses in the cuboids of a shard, or take those that are given."""
    input:
        volumes=synapses_plan.detection_files,
        model=synapses_plan.model_made,
        grey=branch(
            synapses_plan.is_detected,
            then="<results>/synapses/grey/{volume}.json",
            otherwise=[],
        ),
        profile=branch(synapses_plan.is_detected, then=synapses_plan.profile, otherwise=[]),
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
        **asks("synapses_detect", synapses_plan.detection_size),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        cuboid=config["synapses"]["cuboid"],
        options=synapses_plan.detection,
        model=synapses_plan.model_stamp,
        inputs=synapses_plan.detection_stamps,
        aside=synapses_plan.detection_aside,
        shards=config["synapses"]["shards"],
        code=script_hash("synapses_detect"),
    script:
        "../../scripts/synapses_detect.py"


rule synapses_merge:
    """Merge the parts of all cuboids of a volume to objects."""
    input:
        volume=synapses_plan.grid_file,
        parts=synapses_plan.found,
        model=synapses_plan.model_made,
        learned=synapses_plan.learned,
        network=synapses_plan.learned_network,
    output:
        **synapses_plan.ids(),
        objects="<results>/synapses/merge/{volume}.parquet",
        candidates="<results>/synapses/candidates/{volume}.parquet",
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
        **asks("synapses_merge", synapses_plan.whole),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        cuboid=config["synapses"]["cuboid"],
        rules=synapses_plan.merging,
        model=synapses_plan.model_stamp,
        inputs=synapses_plan.grid_stamps,
        aside=synapses_plan.aside("synapses", "image", model=synapses_plan.model.given),
        code=script_hash("synapses_merge"),
    script:
        "../../scripts/synapses_merge.py"


rule synapses_mask:
    """Make a mask of a volume by simple rules."""
    input:
        image=synapses_plan.file("image"),
    output:
        directory("<results>/synapses/mask/{volume}.zarr"),
    log:
        "<logs>/synapses_mask/{volume}.log",
    benchmark:
        "<benchmarks>/synapses_mask/{volume}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_mask", synapses_plan.whole),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        cuboid=config["synapses"]["cuboid"],
        mask={key: value for key, value in config["synapses"]["mask"].items() if key != "make"},
        inputs=synapses_plan.stamps("image"),
        aside=synapses_plan.aside("image"),
        code=script_hash("synapses_mask"),
    script:
        "../../scripts/synapses_mask.py"


rule synapses_density:
    """Write the labels of the cuboids of a shard, and count their voxels in blocks."""
    input:
        mask=branch(
            synapses_plan.is_masked,
            then="<results>/synapses/mask/{volume}.zarr",
            otherwise=synapses_plan.file("mask"),
        ),
        parts=synapses_plan.found_in_shard,
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
        **asks("synapses_density", synapses_plan.cuboids("synapses")),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        cuboid=config["synapses"]["cuboid"],
        block_um=config["synapses"]["density"]["block_um"],
        inputs=synapses_plan.stamps("mask"),
        aside=synapses_plan.aside("mask"),
        code=script_hash("synapses_density"),
    script:
        "../../scripts/synapses_density.py"


rule synapses_pyramid:
    """Make the coarser levels of the labels that viewers show first."""
    input:
        # the labels are whole when all shards have written theirs
        counts=expand("<results>/synapses/density/{{volume}}/{shard}.parquet", shard=synapses_plan.shards),
        labels="<results>/synapses/labels/{volume}.zarr",
    output:
        "<results>/synapses/pyramid/{volume}.tsv",
    log:
        "<logs>/synapses_pyramid/{volume}.log",
    benchmark:
        "<benchmarks>/synapses_pyramid/{volume}.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_pyramid", synapses_plan.whole),
    params:
        code=script_hash("synapses_pyramid"),
    script:
        "../../scripts/synapses_pyramid.py"


rule synapses_blocks:
    """Gather the objects and the blocks of all volumes."""
    input:
        **synapses_plan.counts(),
        **per_volume("objects", synapses_plan.volumes, "<results>/synapses/merge/{volume}.parquet"),
        **per_volume("labels", synapses_plan.volumes, "<results>/synapses/labels/{volume}.zarr"),
        **per_volume("limits", synapses_plan.detected, "<results>/synapses/limits/{volume}.tsv"),
    output:
        limits="<results>/synapses/limits.parquet",
        blocks=report("<results>/synapses/blocks.parquet", caption="../report/synapses_blocks.rst", category="Synapses"),
        objects=directory("<results>/synapses/objects.parquet"),
        gaps="<results>/synapses/gaps.parquet",
    log:
        "<logs>/synapses_blocks.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_blocks", synapses_plan.every(synapses_plan.volumes)),
    params:
        cuboid=config["synapses"]["cuboid"],
        block_um=config["synapses"]["density"]["block_um"],
        design=study.design.of("volumes"),
        code=script_hash("synapses_blocks"),
    script:
        "../../scripts/synapses_blocks.py"


rule synapses_uniformity:
    """Describe how evenly synapses are spread, with what the detector's scores leave of it."""
    input:
        **{f"tables/{name}": table for name, table in synapses_plan.block_tables.items()},
        blocks=branch(bool(synapses_plan.volumes), then="<results>/synapses/blocks.parquet", otherwise=[]),
        evaluation=branch(bool(synapses_plan.scored), then="<results>/synapses/evaluation.tsv", otherwise=[]),
    output:
        report(
            "<results>/synapses/uniformity.parquet", caption="../report/synapses_uniformity.rst", category="Synapses"
        ),
    log:
        "<logs>/synapses_uniformity.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_uniformity", of_files),
    params:
        settings=synapses_plan.uniformity,
        tables=list(synapses_plan.block_tables),
        scored_alike=synapses_plan.scored_alike,
        seed=config["seed"],
        inputs=study.given(synapses_plan.block_tables.values()),
        code=script_hash("synapses_uniformity"),
    script:
        "../../scripts/synapses_uniformity.py"


rule synapses_evaluate:
    """Hold the synapses found against the truth of volumes that the classifier was not trained on."""
    input:
        **synapses_plan.files_of(synapses_plan.scored, "truth_synapses"),
        **per_volume("labels", synapses_plan.scored, "<results>/synapses/labels/{volume}.zarr"),
        **synapses_plan.parts(synapses_plan.scored),
        **synapses_plan.models_of(synapses_plan.scored),
        objects="<results>/synapses/objects.parquet",
        gaps="<results>/synapses/gaps.parquet",
    output:
        scores=report(
            "<results>/synapses/evaluation.tsv", caption="../report/synapses_evaluation.rst", category="Synapses"
        ),
        candidates="<results>/synapses/candidates.parquet",
    log:
        "<logs>/synapses_evaluate.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_evaluate", synapses_plan.every(synapses_plan.scored)),
    params:
        each=synapses_plan.voxels_of(synapses_plan.scored),
        cuboid=config["synapses"]["cuboid"],
        connectivity=config["synapses"]["merge"]["connectivity"],
        seed=config["seed"],
        inputs=synapses_plan.stamps_of(synapses_plan.scored, "truth_synapses"),
        model="" if synapses_plan.adapts or not synapses_plan.scored else synapses_plan.model.stamp,
        aside=study.aside(
            rows=synapses_plan.rows_of(synapses_plan.scored, "truth_synapses"), model=synapses_plan.model.given
        ),
        code=script_hash("synapses_evaluate"),
    script:
        "../../scripts/synapses_evaluate.py"


rule synapses_sweep:
    """Try the published combinations of threshold and size rules on volumes with truth."""
    input:
        **synapses_plan.files_of(synapses_plan.swept, *synapses_plan.evidence, "truth_synapses"),
        **per_volume("grey", synapses_plan.swept, "<results>/synapses/grey/{volume}.json"),
        **synapses_plan.models_of(synapses_plan.swept),
        profile=synapses_plan.profile,
    output:
        "<results>/synapses/sweep.tsv",
    log:
        "<logs>/synapses_sweep.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_sweep", synapses_plan.every(synapses_plan.swept)),
    params:
        each=synapses_plan.voxels_of(synapses_plan.swept),
        cuboid=config["synapses"]["cuboid"],
        recipe=synapses_plan.recipe,
        model="" if synapses_plan.adapts else synapses_plan.model.stamp,
        inputs=synapses_plan.stamps_of(synapses_plan.swept, *synapses_plan.evidence, "truth_synapses"),
        aside=study.aside(
            rows=synapses_plan.rows_of(synapses_plan.swept, *synapses_plan.evidence, "truth_synapses"),
            model=synapses_plan.model.given,
        ),
        code=script_hash("synapses_sweep"),
    script:
        "../../scripts/synapses_sweep.py"


rule synapses_figures:
    """Draw the figures of the branch."""
    input:
        **synapses_plan.files_of(synapses_plan.volumes, "image"),
        **synapses_plan.files_of(synapses_plan.scored, "truth_synapses"),
        **per_volume("labels", synapses_plan.volumes, "<results>/synapses/labels/{volume}.zarr"),
        **per_volume("masks", synapses_plan.masked, "<results>/synapses/mask/{volume}.zarr"),
        **{f"tables/{name}": table for name, table in synapses_plan.block_tables.items()},
        objects=branch(bool(synapses_plan.volumes), then="<results>/synapses/objects.parquet", otherwise=[]),
        blocks=branch(bool(synapses_plan.volumes), then="<results>/synapses/blocks.parquet", otherwise=[]),
        gaps=branch(bool(synapses_plan.volumes), then="<results>/synapses/gaps.parquet", otherwise=[]),
        uniformity="<results>/synapses/uniformity.parquet",
        candidates=branch(bool(synapses_plan.scored), then="<results>/synapses/candidates.parquet", otherwise=[]),
        sweep=branch(bool(synapses_plan.swept), then="<results>/synapses/sweep.tsv", otherwise=[]),
    output:
        report(
            directory("<results>/synapses/figures"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Synapses",
        ),
    log:
        "<logs>/synapses_figures.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("synapses_figures", synapses_plan.every(synapses_plan.volumes)),
    params:
        each=synapses_plan.voxels_of(synapses_plan.volumes),
        detected=synapses_plan.detected,
        scored=synapses_plan.scored,
        tables=list(synapses_plan.block_tables),
        cuboid=config["synapses"]["cuboid"],
        inputs=[
            *synapses_plan.stamps_of(synapses_plan.volumes, "image"),
            *synapses_plan.stamps_of(synapses_plan.scored, "truth_synapses"),
            *study.given(synapses_plan.block_tables.values()),
        ],
        aside=study.aside(rows=synapses_plan.rows_of(synapses_plan.volumes, "image", "truth_synapses")),
        code=script_hash("synapses_figures"),
    script:
        "../../scripts/synapses_figures.py"
