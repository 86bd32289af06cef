# The linking branch: membranes, superpixels, segments, and orphan spines returned to their shafts.


include: "linking_inputs.smk"


localrules:
    linking,


rule linking:
    input:
        branch(
            bool(linking_volumes),
            then=[
                "<results>/linking/links.parquet",
                "<results>/linking/spines.parquet",
                "<results>/linking/violations.parquet",
                "<results>/linking/line_graph.parquet",
                "<results>/linking/queue.tsv",
                "<results>/linking/figures",
            ],
            otherwise=[],
        ),
        expand("<results>/linking/merge_tree/{volume}.parquet", volume=linking_computed),
        expand("<results>/linking/segments/{volume}.zarr", volume=linking_computed),
        expand("<results>/linking/meshes/{volume}", volume=linking_volumes),
        expand("<results>/linking/detached/{volume}", volume=config["linking"]["detach"]["volumes"]),
        branch(
            bool(linking_scored),
            then=["<results>/linking/evaluation.tsv", "<results>/linking/topk.parquet"],
            otherwise=[],
        ),


rule linking_train_membranes:
    input:
        lambda wildcards: linking_sources(linking_training("image"), "image"),
        lambda wildcards: linking_sources(linking_training("image"), "truth_segmentation"),
    output:
        "<results>/models/membranes.skops",
    log:
        "<logs>/linking_train_membranes.log",
    benchmark:
        "<benchmarks>/linking_train_membranes.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=60,
    params:
        rows=lambda wildcards: [
            (row.volume, row.image, row.truth_segmentation, row.voxel_nm)
            for row in (volume_of[v] for v in linking_training("image"))
        ],
        cuboid=config["linking"]["cuboid"],
        cuboids=config["linking"]["membranes"]["training_cuboids"],
        voxels=config["linking"]["membranes"]["training_voxels"],
        seed=config["seed"],
        code=code_hash("spinome.linking.membranes"),
    script:
        "../../scripts/linking_train_membranes.py"


rule linking_membranes:
    input:
        image=linking_file("image"),
        model=model_file("membranes", linking_dense_teachers),
    output:
        done="<results>/linking/membrane_cuboids/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_membranes/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_membranes/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_membranes/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        image=linking_column("image"),
        voxel_nm=linking_column("voxel_nm"),
        cuboid=config["linking"]["cuboid"],
        shards=config["linking"]["shards"],
        store=lambda wildcards: f"{config['results']}/units/linking_membranes/{wildcards.volume}/{wildcards.shard}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.linking.membranes", "spinome.blocks"),
    script:
        "../../scripts/linking_membranes.py"


rule linking_assemble:
    input:
        done=expand("<results>/linking/membrane_cuboids/{{volume}}/{shard}.parquet", shard=linking_shards),
        image=linking_file("image"),
    output:
        directory("<results>/linking/membranes/{volume}.zarr"),
    log:
        "<logs>/linking_assemble/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        image=linking_column("image"),
        voxel_nm=linking_column("voxel_nm"),
        cuboid=config["linking"]["cuboid"],
    script:
        "../../scripts/linking_assemble.py"


rule linking_basins:
    input:
        membrane=lambda wildcards: file_of(linking_membrane(wildcards.volume)),
        mask=linking_file("mask"),
    output:
        done="<results>/linking/basins/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_basins/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_basins/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_basins/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        membrane=lambda wildcards: linking_membrane(wildcards.volume),
        mask=linking_column("mask"),
        voxel_nm=linking_column("voxel_nm"),
        settings=config["linking"]["watershed"],
        cuboid=config["linking"]["cuboid"],
        shards=config["linking"]["shards"],
        store=lambda wildcards: f"{config['results']}/units/linking_basins/{wildcards.volume}/{wildcards.shard}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.linking.basins", "spinome.linking.landscape", "spinome.blocks"),
    script:
        "../../scripts/linking_basins.py"


rule linking_watershed:
    input:
        done=expand("<results>/linking/basins/{{volume}}/{shard}.parquet", shard=linking_shards),
        membrane=lambda wildcards: file_of(linking_membrane(wildcards.volume)),
        predicted=branch(
            lambda wildcards: bool(volume_of[wildcards.volume].membrane),
            then=[],
            otherwise=expand("<results>/linking/membrane_cuboids/{{volume}}/{shard}.parquet", shard=linking_shards),
        ),
    output:
        superpixels=directory("<results>/linking/superpixels/{volume}.zarr"),
        gaps="<results>/linking/gaps/{volume}.parquet",
    log:
        "<logs>/linking_watershed/{volume}.log",
    benchmark:
        "<benchmarks>/linking_watershed/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        membrane=lambda wildcards: linking_membrane(wildcards.volume),
        voxel_nm=linking_column("voxel_nm"),
        cuboid=config["linking"]["cuboid"],
        code=code_hash("spinome.linking.watershed"),
    script:
        "../../scripts/linking_watershed.py"


rule linking_train_agglomeration:
    input:
        superpixels=lambda wildcards: [
            f"{config['results']}/linking/superpixels/{volume}.zarr"
            for volume in linking_training("image", "membrane")
        ],
        membrane=lambda wildcards: [
            file_of(linking_membrane(volume)) for volume in linking_training("image", "membrane")
        ],
        truth=lambda wildcards: linking_sources(linking_training("image", "membrane"), "truth_segmentation"),
    output:
        "<results>/models/agglomeration.skops",
    log:
        "<logs>/linking_train_agglomeration.log",
    benchmark:
        "<benchmarks>/linking_train_agglomeration.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=60,
    params:
        volumes=lambda wildcards: linking_training("image", "membrane"),
        membrane=lambda wildcards: [linking_membrane(volume) for volume in linking_training("image", "membrane")],
        truth=lambda wildcards: [
            volume_of[volume].truth_segmentation for volume in linking_training("image", "membrane")
        ],
        seed=config["seed"],
        code=code_hash("spinome.linking.agglomerate"),
    script:
        "../../scripts/linking_train_agglomeration.py"


rule linking_agglomerate:
    input:
        superpixels="<results>/linking/superpixels/{volume}.zarr",
        membrane=lambda wildcards: file_of(linking_membrane(wildcards.volume)),
        model=branch(
            config["linking"]["agglomerate"]["priority"] == "forest",
            then=model_file("agglomeration", linking_dense_teachers),
            otherwise=[],
        ),
    output:
        "<results>/linking/merge_tree/{volume}.parquet",
    log:
        "<logs>/linking_agglomerate/{volume}.log",
    benchmark:
        "<benchmarks>/linking_agglomerate/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        membrane=lambda wildcards: linking_membrane(wildcards.volume),
        priority=config["linking"]["agglomerate"]["priority"],
        code=code_hash("spinome.linking.agglomerate"),
    script:
        "../../scripts/linking_agglomerate.py"


rule linking_segments:
    input:
        superpixels="<results>/linking/superpixels/{volume}.zarr",
        tree="<results>/linking/merge_tree/{volume}.parquet",
    output:
        directory("<results>/linking/segments/{volume}.zarr"),
    log:
        "<logs>/linking_segments/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        threshold=config["linking"]["agglomerate"]["threshold"],
        code=code_hash("spinome.linking.agglomerate"),
    script:
        "../../scripts/linking_segments.py"


rule linking_typing:
    input:
        segments=lambda wildcards: file_of(linking_segmentation(wildcards.volume)),
        gaps=branch(
            lambda wildcards: wildcards.volume in linking_computed,
            then="<results>/linking/gaps/{volume}.parquet",
            otherwise=[],
        ),
        model=config["models"]["typing"] or [],
    output:
        "<results>/linking/typing/{volume}.parquet",
    log:
        "<logs>/linking_typing/{volume}.log",
    benchmark:
        "<benchmarks>/linking_typing/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        segments=lambda wildcards: linking_segmentation(wildcards.volume),
        voxel_nm=linking_column("voxel_nm"),
        settings=config["linking"]["typing"],
        code=code_hash("spinome.linking.typing"),
    script:
        "../../scripts/linking_typing.py"


rule linking_synapses:
    input:
        segments=lambda wildcards: file_of(linking_segmentation(wildcards.volume)),
        synapses=lambda wildcards: file_of(volume_of[wildcards.volume].synapses),
        objects=branch(
            lambda wildcards: bool(volume_of[wildcards.volume].synapses),
            then=[],
            otherwise="<results>/synapses/merged/{volume}.parquet",
        ),
    output:
        "<results>/linking/synapses/{volume}.parquet",
    log:
        "<logs>/linking_synapses/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        segments=lambda wildcards: linking_segmentation(wildcards.volume),
        synapses=linking_column("synapses"),
        voxel_nm=linking_column("voxel_nm"),
        code=code_hash("spinome.linking.graph"),
    script:
        "../../scripts/linking_synapses.py"


rule linking_candidates:
    input:
        segments=lambda wildcards: file_of(linking_segmentation(wildcards.volume)),
        membrane=lambda wildcards: file_of(linking_path_membrane(wildcards.volume)),
        typing="<results>/linking/typing/{volume}.parquet",
        synapses=lambda wildcards: (
            f"{config['results']}/linking/synapses/{wildcards.volume}.parquet"
            if wildcards.volume in linking_with_synapses
            else []
        ),
    output:
        done="<results>/linking/candidates/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_candidates/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_candidates/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_candidates/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        segments=lambda wildcards: linking_segmentation(wildcards.volume),
        membrane=lambda wildcards: linking_path_membrane(wildcards.volume),
        voxel_nm=linking_column("voxel_nm"),
        working_nm=config["linking"]["typing"]["working_nm"],
        radius_nm=config["linking"]["candidates"]["radius_nm"],
        group_nm=config["linking"]["candidates"]["group_nm"],
        with_synapses=lambda wildcards: wildcards.volume in linking_with_synapses,
        shards=config["linking"]["shards"],
        store=lambda wildcards: f"{config['results']}/units/linking_candidates/{wildcards.volume}/{wildcards.shard}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.linking.candidates"),
    script:
        "../../scripts/linking_candidates.py"


rule linking_detach:
    input:
        segments=lambda wildcards: file_of(linking_segmentation(wildcards.volume)),
        typing="<results>/linking/typing/{volume}.parquet",
    output:
        directory("<results>/linking/detached/{volume}"),
    log:
        "<logs>/linking_detach/{volume}.log",
    benchmark:
        "<benchmarks>/linking_detach/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        segments=lambda wildcards: linking_segmentation(wildcards.volume),
        voxel_nm=linking_column("voxel_nm"),
        working_nm=config["linking"]["typing"]["working_nm"],
        settings={key: config["linking"]["detach"][key] for key in ("gap_nm", "noise_nm", "share")},
        seed=config["seed"],
        code=code_hash("spinome.linking.detach"),
    script:
        "../../scripts/linking_detach.py"


rule linking_truth:
    input:
        typing="<results>/linking/typing/{volume}.parquet",
        links=linking_file("truth_links"),
        segments=lambda wildcards: (
            [] if volume_of[wildcards.volume].truth_links else file_of(linking_segmentation(wildcards.volume))
        ),
        truth=linking_file("truth_segmentation"),
    output:
        links="<results>/linking/truth/{volume}.parquet",
        fragments="<results>/linking/truth/{volume}_fragments.parquet",
    log:
        "<logs>/linking_truth/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        segments=lambda wildcards: linking_segmentation(wildcards.volume),
        truth=linking_column("truth_segmentation"),
        code=code_hash("spinome.linking.links"),
    script:
        "../../scripts/linking_truth.py"


rule linking_train_links:
    input:
        candidates=expand(
            "<results>/linking/candidates/{volume}/{shard}.parquet",
            volume=linking_link_teachers,
            shard=linking_shards,
        ),
        truth=expand(
            "<results>/linking/truth/{volume}.parquet",
            volume=linking_link_teachers,
        ),
        typing=expand("<results>/linking/typing/{volume}.parquet", volume=linking_link_teachers),
    output:
        "<results>/models/links.skops",
    log:
        "<logs>/linking_train_links.log",
    benchmark:
        "<benchmarks>/linking_train_links.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        volumes=linking_link_teachers,
        shards=config["linking"]["shards"],
        group_nm=config["linking"]["candidates"]["group_nm"],
        seed=config["seed"],
        code=code_hash("spinome.linking.links"),
    script:
        "../../scripts/linking_train_links.py"


rule linking_links:
    input:
        candidates=expand(
            "<results>/linking/candidates/{volume}/{shard}.parquet", volume=linking_volumes, shard=linking_shards
        ),
        typing=expand("<results>/linking/typing/{volume}.parquet", volume=linking_volumes),
        synapses=expand(
            "<results>/linking/synapses/{volume}.parquet",
            volume=[volume for volume in linking_volumes if volume in linking_with_synapses],
        ),
        gaps=expand("<results>/synapses/gaps/{volume}.parquet", volume=linking_with_found_synapses),
        model=model_file("links", linking_link_teachers),
        decisions=config["linking"]["proofread"]["decisions"] or [],
    output:
        links="<results>/linking/links.parquet",
        spines="<results>/linking/spines.parquet",
        violations="<results>/linking/violations.parquet",
        line_graph="<results>/linking/line_graph.parquet",
        bridges="<results>/linking/bridges.parquet",
    log:
        "<logs>/linking_links.log",
    benchmark:
        "<benchmarks>/linking_links.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        volumes=linking_volumes,
        with_synapses=[volume for volume in linking_volumes if volume in linking_with_synapses],
        with_gaps=linking_with_found_synapses,
        shards=config["linking"]["shards"],
        group_nm=config["linking"]["candidates"]["group_nm"],
        threshold=config["linking"]["links"]["threshold"],
        code=code_hash("spinome.linking.links", "spinome.linking.graph", "spinome.linking.proofread"),
    script:
        "../../scripts/linking_links.py"


rule linking_proofread:
    input:
        links="<results>/linking/links.parquet",
        typing=expand("<results>/linking/typing/{volume}.parquet", volume=linking_volumes),
        synapses=expand(
            "<results>/linking/synapses/{volume}.parquet",
            volume=[volume for volume in linking_volumes if volume in linking_with_synapses],
        ),
        gaps=expand("<results>/synapses/gaps/{volume}.parquet", volume=linking_with_found_synapses),
    output:
        "<results>/linking/queue.tsv",
    log:
        "<logs>/linking_proofread.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        rows=[
            (volume, linking_segmentation(volume), volume_of[volume].image, volume_of[volume].voxel_nm)
            for volume in linking_volumes
        ],
        with_synapses=[volume for volume in linking_volumes if volume in linking_with_synapses],
        with_gaps=linking_with_found_synapses,
        url=config["linking"]["proofread"]["url"],
        candidates=config["linking"]["proofread"]["candidates"],
        code=code_hash("spinome.linking.proofread"),
    script:
        "../../scripts/linking_proofread.py"


rule linking_meshes:
    input:
        segments=lambda wildcards: file_of(linking_segmentation(wildcards.volume)),
        typing="<results>/linking/typing/{volume}.parquet",
        bridges="<results>/linking/bridges.parquet",
        synapses=lambda wildcards: (
            f"{config['results']}/linking/synapses/{wildcards.volume}.parquet"
            if wildcards.volume in linking_with_synapses
            else []
        ),
        gaps=branch(
            lambda wildcards: wildcards.volume in linking_with_found_synapses,
            then="<results>/synapses/gaps/{volume}.parquet",
            otherwise=[],
        ),
    output:
        directory("<results>/linking/meshes/{volume}"),
    log:
        "<logs>/linking_meshes/{volume}.log",
    benchmark:
        "<benchmarks>/linking_meshes/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        segments=lambda wildcards: linking_segmentation(wildcards.volume),
        voxel_nm=linking_column("voxel_nm"),
        working_nm=config["linking"]["typing"]["working_nm"],
        settings=config["linking"]["meshes"],
        with_synapses=lambda wildcards: wildcards.volume in linking_with_synapses,
        code=code_hash("spinome.linking.meshes"),
    script:
        "../../scripts/linking_meshes.py"


rule linking_thresholds:
    input:
        superpixels="<results>/linking/superpixels/{volume}.zarr",
        tree="<results>/linking/merge_tree/{volume}.parquet",
        gaps="<results>/linking/gaps/{volume}.parquet",
        truth=linking_file("truth_segmentation"),
    output:
        "<results>/linking/thresholds/{volume}.parquet",
    log:
        "<logs>/linking_thresholds/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        truth=linking_column("truth_segmentation"),
        code=code_hash("spinome.linking.agglomerate", "spinome.scores.segmentation"),
    script:
        "../../scripts/linking_thresholds.py"


rule linking_true_graph:
    input:
        segments=lambda wildcards: file_of(
            volume_of[wildcards.volume].truth_segmentation or linking_segmentation(wildcards.volume)
        ),
        links="<results>/linking/truth/{volume}.parquet",
        truth=linking_file("truth_synapses"),
        gaps=branch(
            lambda wildcards: wildcards.volume in linking_with_found_synapses,
            then="<results>/synapses/gaps/{volume}.parquet",
            otherwise=[],
        ),
        synapses=lambda wildcards: linking_synapse_files(wildcards.volume),
    output:
        pairs="<results>/linking/true_graph/{volume}.parquet",
        matches="<results>/linking/true_graph/{volume}_matches.parquet",
    log:
        "<logs>/linking_true_graph/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        segments=lambda wildcards: (
            volume_of[wildcards.volume].truth_segmentation or linking_segmentation(wildcards.volume)
        ),
        dense=lambda wildcards: bool(volume_of[wildcards.volume].truth_segmentation),
        truth=linking_column("truth_synapses"),
        synapses=lambda wildcards: linking_synapse_source(wildcards.volume),
        voxel_nm=linking_column("voxel_nm"),
        code=code_hash("spinome.linking.graph", "spinome.scores.graphs"),
    script:
        "../../scripts/linking_true_graph.py"


rule linking_evaluate:
    input:
        links="<results>/linking/links.parquet",
        truth=expand("<results>/linking/truth/{volume}.parquet", volume=linking_scored),
        segments=[file_of(linking_segmentation(volume)) for volume in linking_dense],
        dense=linking_sources(linking_dense, "truth_segmentation"),
        gaps=expand("<results>/linking/gaps/{volume}.parquet", volume=linking_dense),
        synapses=expand("<results>/linking/synapses/{volume}.parquet", volume=linking_true_graphs),
        graphs=expand("<results>/linking/true_graph/{volume}.parquet", volume=linking_true_graphs),
        matches=expand("<results>/linking/true_graph/{volume}_matches.parquet", volume=linking_true_graphs),
        fragments=expand("<results>/linking/truth/{volume}_fragments.parquet", volume=linking_true_graphs),
    output:
        evaluation="<results>/linking/evaluation.tsv",
        detachment="<results>/linking/detachment.parquet",
        topk="<results>/linking/topk.parquet",
    log:
        "<logs>/linking_evaluate.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        scored=linking_scored,
        dense=[(volume, linking_segmentation(volume), volume_of[volume].truth_segmentation) for volume in linking_dense],
        graphs=linking_true_graphs,
        seed=config["seed"],
        code=code_hash("spinome.linking.evaluate", "spinome.linking.simulate"),
    script:
        "../../scripts/linking_evaluate.py"


rule linking_figures:
    input:
        links="<results>/linking/links.parquet",
        bridges="<results>/linking/bridges.parquet",
        typing=expand("<results>/linking/typing/{volume}.parquet", volume=linking_volumes),
        segments=[file_of(linking_segmentation(volume)) for volume in linking_volumes],
        superpixels=expand("<results>/linking/superpixels/{volume}.zarr", volume=linking_computed),
        gaps=expand("<results>/linking/gaps/{volume}.parquet", volume=linking_computed),
        membranes=[file_of(linking_membrane(volume)) for volume in linking_computed],
        truth=expand("<results>/linking/truth/{volume}.parquet", volume=linking_scored),
        thresholds=expand(
            "<results>/linking/thresholds/{volume}.parquet",
            volume=linking_dense,
        ),
        graph=branch(
            bool(linking_true_graphs),
            then=["<results>/linking/evaluation.tsv", "<results>/linking/detachment.parquet"],
            otherwise=[],
        ),
    output:
        directory("<results>/linking/figures"),
    log:
        "<logs>/linking_figures.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        rows=[
            {
                "volume": volume,
                "image": volume_of[volume].image,
                "truth": volume_of[volume].truth_segmentation,
                "segments": linking_segmentation(volume),
                "superpixels": (
                    f"{config['results']}/linking/superpixels/{volume}.zarr" if volume in linking_computed else None
                ),
                "gaps": f"{config['results']}/linking/gaps/{volume}.parquet" if volume in linking_computed else None,
                "typing": f"{config['results']}/linking/typing/{volume}.parquet",
                "voxel_nm": volume_of[volume].voxel_nm,
            }
            for volume in linking_volumes
            if volume not in linking_trained
        ],
        scored=linking_scored,
        dense=linking_dense,
        working_nm=config["linking"]["typing"]["working_nm"],
        threshold=config["linking"]["agglomerate"]["threshold"],
        link_threshold=config["linking"]["links"]["threshold"],
        code=code_hash("spinome.report.linking", "spinome.report.line_graph"),
    script:
        "../../scripts/linking_figures.py"
