# What models learn from the answers that people gave in `spinome review`.
from spinome.workflow.plans.volumes import per_volume


rule review_learn:
    """Teach what finds two-photon spines from answers; old models are kept where new ones are not better."""
    input:
        **twophoton_plan.per_stack("stacks", study.stacks),
        **twophoton_plan.per_stack("candidates", study.stacks),
        **twophoton_plan.per_stack("boxes", study.stacks),
        detector=twophoton_plan.detector.trained,
        model=twophoton_plan.taught_judge.trained,
    output:
        model="<results>/review/learn/judge.skops",
        detector="<results>/review/learn/detector.safetensors",
        scores="<results>/review/learn/scores.tsv",
    log:
        "<logs>/review_learn.log",
    benchmark:
        "<benchmarks>/review_learn.tsv"
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("review_learn", twophoton_plan.resampled_sizes_of(study.stacks)),
    params:
        each=stack_rows(study.stacks, "specimen", "field", "timepoint", "series"),
        gap_slices=config["twophoton"]["detect"]["gap_slices"],
        seed=config["seed"],
        detector=twophoton_plan.detector.stamp,
        model=twophoton_plan.taught_judge.stamp,
        inputs=study.given([config["review"]["answers"]]) if twophoton_plan.learns else [],
        aside=study.aside(
            detector=twophoton_plan.detector.given,
            model=twophoton_plan.taught_judge.given,
            answers=config["review"]["answers"],
        ),
        code=script_hash("review_learn"),
    script:
        "../../scripts/review_learn.py"


rule review_detect:
    """Find the candidates of a stack again by the detector that learned from answers, if one did."""
    input:
        stack="<results>/twophoton/register/{specimen}.{field}.{timepoint}.zarr",
        boxes="<results>/twophoton/depth_track/{specimen}.{field}.{timepoint}.boxes.parquet",
        spines="<results>/twophoton/depth_track/{specimen}.{field}.{timepoint}.parquet",
        model="<results>/review/learn/detector.safetensors",
    output:
        boxes="<results>/review/detect/{specimen}.{field}.{timepoint}.boxes.parquet",
        spines="<results>/review/detect/{specimen}.{field}.{timepoint}.parquet",
    log:
        "<logs>/review_detect/{specimen}.{field}.{timepoint}.log",
    conda:
        "../../envs/twophoton.yaml"
    threads: 1
    resources:
        **asks("review_detect", twophoton_plan.resampled_size),
    params:
        gap_slices=config["twophoton"]["detect"]["gap_slices"],
        code=script_hash("review_detect"),
    script:
        "../../scripts/review_detect.py"


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
        **asks("review_sample", of_files),
    params:
        kind=lambda wildcards: wildcards.kind,
        seed=config["seed"],
        inputs=lambda wildcards: study.given([config["review"]["answers"]]),
        aside=study.aside(answers=config["review"]["answers"]),
        code=script_hash("review_sample"),
    script:
        "../../scripts/review_sample.py"


rule review_learn_synapses:
    """Teach the judge and the network of synapses from answers; the old ones are kept where new ones are not better."""
    input:
        **synapses_plan.files_of(synapses_plan.detected, "image"),
        **synapses_plan.parts(synapses_plan.detected),
        **synapses_plan.models_of(synapses_plan.detected),
        **per_volume("grey", synapses_plan.detected, "<results>/synapses/grey/{volume}.json"),
    output:
        judge="<results>/review/learn_synapses/judge.json",
        network="<results>/review/learn_synapses/network.safetensors",
        scores="<results>/review/learn_synapses/scores.tsv",
    log:
        "<logs>/review_learn_synapses.log",
    benchmark:
        "<benchmarks>/review_learn_synapses.tsv"
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("review_learn_synapses", synapses_plan.learning_size),
    params:
        each=synapses_plan.voxels_of(synapses_plan.detected),
        cuboid=config["synapses"]["cuboid"],
        rules=synapses_plan.ruling,
        relearns=synapses_plan.relearns,
        seed=config["seed"],
        model="" if synapses_plan.adapts or not synapses_plan.detected else synapses_plan.model.stamp,
        inputs=[
            *synapses_plan.stamps_of(synapses_plan.detected, "image"),
            *(study.given([config["review"]["answers"]]) if synapses_plan.learns else []),
        ],
        aside=study.aside(
            rows=synapses_plan.rows_of(synapses_plan.detected, "image"),
            model=synapses_plan.model.given,
            answers=config["review"]["answers"],
        ),
        code=script_hash("review_learn_synapses"),
    script:
        "../../scripts/review_learn_synapses.py"


rule review_detect_synapses:
    """Find the parts of synapses in the cuboids of a shard again, where the network learned from answers."""
    input:
        volumes=synapses_plan.detection_files,
        grey="<results>/synapses/grey/{volume}.json",
        judge="<results>/review/learn_synapses/judge.json",
        model="<results>/review/learn_synapses/network.safetensors",
        parts="<results>/synapses/detect/{volume}/{shard}.parquet",
    output:
        done="<results>/review/detect_synapses/{volume}/{shard}.parquet",
        failures="<results>/failures/review_detect_synapses/{volume}/{shard}.parquet",
    log:
        "<logs>/review_detect_synapses/{volume}/{shard}.log",
    conda:
        "../../envs/synapses.yaml"
    threads: 1
    resources:
        **asks("review_detect_synapses", synapses_plan.detection_size),
    params:
        voxel_nm=synapses_plan.voxel_nm,
        cuboid=config["synapses"]["cuboid"],
        inputs=synapses_plan.detection_stamps,
        aside=synapses_plan.detection_aside,
        shards=config["synapses"]["shards"],
        code=script_hash("review_detect_synapses"),
    script:
        "../../scripts/review_detect_synapses.py"


rule review_learn_links:
    """Teach the forest of links from answers; the old one is kept where the new one is not better."""
    input:
        **linking_plan.segmentations(linking_plan.volumes),
        **linking_plan.candidates(linking_plan.volumes),
        **per_volume("typing", linking_plan.volumes, "<results>/linking/typing/{volume}.parquet"),
        model=linking_plan.taught_links.trained,
    output:
        model="<results>/review/learn_links/links.skops",
        scores="<results>/review/learn_links/scores.tsv",
    log:
        "<logs>/review_learn_links.log",
    benchmark:
        "<benchmarks>/review_learn_links.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("review_learn_links", linking_plan.every(linking_plan.volumes)),
    params:
        each=linking_plan.voxels_of(linking_plan.volumes),
        group_nm=config["linking"]["candidates"]["group_nm"],
        threshold=config["linking"]["links"]["threshold"],
        seed=config["seed"],
        model=linking_plan.taught_links.stamp,
        inputs=[
            *linking_plan.stamps_of(linking_plan.volumes, "segmentation"),
            *(study.given([config["review"]["answers"]]) if linking_plan.learns else []),
        ],
        aside=study.aside(
            rows=linking_plan.rows_of(linking_plan.volumes, "segmentation"),
            model=linking_plan.taught_links.given,
            answers=config["review"]["answers"],
        ),
        code=script_hash("review_learn_links"),
    script:
        "../../scripts/review_learn_links.py"


rule review_learn_types:
    """Teach the forest of types from answers; the old one is kept where the new one is not better."""
    input:
        **linking_plan.segmentations(linking_plan.volumes),
        **per_volume("segments", linking_plan.volumes, "<results>/linking/join/{volume}.parquet"),
        **linking_plan.shapes(linking_plan.volumes),
        model=linking_plan.taught_typing.trained,
    output:
        model="<results>/review/learn_types/typing.skops",
        scores="<results>/review/learn_types/scores.tsv",
    log:
        "<logs>/review_learn_types.log",
    benchmark:
        "<benchmarks>/review_learn_types.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("review_learn_types", linking_plan.every(linking_plan.volumes)),
    params:
        each=linking_plan.voxels_of(linking_plan.volumes),
        working_nm=config["linking"]["typing"]["working_nm"],
        seed=config["seed"],
        model=linking_plan.taught_typing.stamp,
        inputs=[
            *linking_plan.stamps_of(linking_plan.volumes, "segmentation"),
            *(study.given([config["review"]["answers"]]) if linking_plan.learns else []),
        ],
        aside=study.aside(
            rows=linking_plan.rows_of(linking_plan.volumes, "segmentation"),
            model=linking_plan.taught_typing.given,
            answers=config["review"]["answers"],
        ),
        code=script_hash("review_learn_types"),
    script:
        "../../scripts/review_learn_types.py"


rule review_learn_neurons:
    """Teach the forest of neurons from answers; the old one is kept where the new one is not better."""
    input:
        **neurons_plan.step("condense", study.neurons),
        meshes=neurons_plan.files_of(study.neurons, "mesh"),
        fetched=neurons_plan.fetched_of(study.neurons),
        synapses=neurons_plan.files_of(study.neurons, "synapses"),
        model=neurons_plan.taught_model.trained,
    output:
        model="<results>/review/learn_neurons/neurons.skops",
        scores="<results>/review/learn_neurons/scores.tsv",
    log:
        "<logs>/review_learn_neurons.log",
    benchmark:
        "<benchmarks>/review_learn_neurons.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("review_learn_neurons", neurons_plan.sizes_of(study.neurons)),
        **neurons_plan.fetches,
    params:
        told=lambda wildcards: neurons_plan.told_of(study.neurons, "synapse_voxel_nm", "root_id"),
        hks=neurons_plan.solver,
        max_distance=config["neurons"]["synapses"]["max_distance_nm"],
        seed=config["seed"],
        model=neurons_plan.taught_model.stamp,
        inputs=lambda wildcards: [
            *neurons_plan.stamps_of(study.neurons, "mesh", "synapses"),
            *(study.given([config["review"]["answers"]]) if neurons_plan.learns else []),
        ],
        aside=study.aside(
            rows=Told(study.neurons, ("mesh", "synapses", "synapse_voxel_nm", "root_id")),
            addresses=neurons_plan.addresses_of(study.neurons),
            model=neurons_plan.taught_model.given,
            answers=config["review"]["answers"],
        ),
        code=script_hash("review_learn_neurons"),
    script:
        "../../scripts/review_learn_neurons.py"
