# The linking branch: membranes, superpixels, segments, and orphan spines returned to their shafts.
from spinome.workflow.plans.linking import LinkingPlan
from spinome.workflow.plans.volumes import per_volume

linking_plan = planned(LinkingPlan, study, synapses_plan)
if linking_plan.volumes:
    branches.append("linking")
failure_tables += linking_plan.failures
finished_tables |= linking_plan.finished


localrules:
    linking,


rule linking:
    """Run the linking branch."""
    input:
        # of those that were forgotten, so that they are tried again
        linking_plan.failures,
        branch(
            bool(linking_plan.volumes),
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
        expand("<results>/linking/agglomerate/{volume}.parquet", volume=linking_plan.computed),
        expand("<results>/linking/segments/{volume}.zarr", volume=linking_plan.computed),
        expand("<results>/linking/meshes/{volume}", volume=linking_plan.volumes),
        expand("<results>/linking/detach/{volume}", volume=linking_plan.detached),
        branch(
            bool(linking_plan.scored),
            then=["<results>/linking/evaluation.tsv", "<results>/linking/topk.parquet"],
            otherwise=[],
        ),


rule linking_train_membranes:
    """Train the membrane network on volumes with a dense truth."""
    input:
        unpack(linking_plan.membrane_teaching),
    output:
        "<results>/models/membranes.safetensors",
    log:
        "<logs>/linking_train_membranes.log",
    benchmark:
        "<benchmarks>/linking_train_membranes.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_train_membranes", linking_plan.membrane_crops),
    params:
        each=linking_plan.voxels_of(linking_plan.membrane_teachers),
        cuboid=config["linking"]["cuboid"],
        cuboids=config["linking"]["membranes"]["training_cuboids"],
        steps=linking_plan.membrane_steps,
        start=linking_plan.membrane_start.stamp,
        seed=config["seed"],
        inputs=linking_plan.stamps_of(linking_plan.membrane_teachers, "image", "truth_segmentation"),
        aside=study.aside(
            rows=linking_plan.rows_of(linking_plan.membrane_teachers, "image", "truth_segmentation"),
            start=linking_plan.membrane_start.given,
        ),
        code=script_hash("linking_train_membranes"),
    script:
        "../../scripts/linking_train_membranes.py"


rule linking_membranes:
    """Predict the membranes in the cuboids of a shard."""
    input:
        image=linking_plan.file("image"),
        model=linking_plan.membrane_model.trained,
    output:
        done="<results>/linking/membranes/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_membranes/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_membranes/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_membranes/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_membranes", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        cuboid=config["linking"]["cuboid"],
        model=linking_plan.membrane_model.stamp,
        inputs=linking_plan.stamps("image"),
        aside=linking_plan.aside("image", model=linking_plan.membrane_model.given),
        shards=config["linking"]["shards"],
        code=script_hash("linking_membranes"),
    script:
        "../../scripts/linking_membranes.py"


rule linking_assemble:
    """Put the cuboids of predicted membranes together."""
    input:
        done=expand("<results>/linking/membranes/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        image=linking_plan.file("image"),
    output:
        directory("<results>/linking/assemble/{volume}.zarr"),
    log:
        "<logs>/linking_assemble/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_assemble", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        cuboid=config["linking"]["cuboid"],
        inputs=linking_plan.stamps("image"),
        aside=linking_plan.aside("image"),
        code=script_hash("linking_assemble"),
    script:
        "../../scripts/linking_assemble.py"


rule linking_basins:
    """Find the basins in the cuboids of a shard."""
    input:
        membrane=linking_plan.membrane,
        mask=linking_plan.file("mask"),
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
        **asks("linking_basins", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        settings=config["linking"]["watershed"],
        cuboid=config["linking"]["cuboid"],
        inputs=linking_plan.stamps("membrane", "mask"),
        aside=linking_plan.aside("membrane", "mask"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_basins"),
    script:
        "../../scripts/linking_basins.py"


rule linking_watershed:
    """Join the basins of all cuboids of a volume to superpixels."""
    input:
        done=expand("<results>/linking/basins/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        membrane=linking_plan.membrane,
    output:
        directory("<results>/linking/watershed/{volume}.zarr"),
    log:
        "<logs>/linking_watershed/{volume}.log",
    benchmark:
        "<benchmarks>/linking_watershed/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_watershed", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        cuboid=config["linking"]["cuboid"],
        inputs=linking_plan.stamps("membrane"),
        aside=linking_plan.aside("membrane"),
        code=script_hash("linking_watershed"),
    script:
        "../../scripts/linking_watershed.py"


rule linking_contacts:
    """Find the contacts of superpixels in the cuboids of a shard."""
    input:
        superpixels="<results>/linking/watershed/{volume}.zarr",
        membrane=linking_plan.membrane,
    output:
        done="<results>/linking/contacts/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_contacts/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_contacts/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_contacts/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_contacts", linking_plan.cuboids("linking")),
    params:
        cuboid=config["linking"]["cuboid"],
        inputs=linking_plan.stamps("membrane"),
        aside=linking_plan.aside("membrane"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_contacts"),
    script:
        "../../scripts/linking_contacts.py"


rule linking_train_agglomeration:
    """Train the forest of agglomeration on volumes with a dense truth."""
    input:
        unpack(linking_plan.agglomeration_teaching),
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
        **asks("linking_train_agglomeration", linking_plan.every(linking_plan.agglomeration_teachers)),
    params:
        volumes=linking_plan.agglomeration_teachers,
        seed=config["seed"],
        inputs=linking_plan.stamps_of(linking_plan.agglomeration_teachers, "membrane", "truth_segmentation"),
        aside=study.aside(
            rows=linking_plan.rows_of(linking_plan.agglomeration_teachers, "membrane", "truth_segmentation")
        ),
        code=script_hash("linking_train_agglomeration"),
    script:
        "../../scripts/linking_train_agglomeration.py"


rule linking_agglomerate:
    """Agglomerate the superpixels of a volume, and keep the whole merge tree."""
    input:
        superpixels="<results>/linking/watershed/{volume}.zarr",
        contacts=expand("<results>/linking/contacts/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        model=linking_plan.agglomeration_model.trained,
    output:
        "<results>/linking/agglomerate/{volume}.parquet",
    log:
        "<logs>/linking_agglomerate/{volume}.log",
    benchmark:
        "<benchmarks>/linking_agglomerate/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_agglomerate", linking_plan.whole),
    params:
        priority=config["linking"]["agglomerate"]["priority"],
        most_superpixels=config["linking"]["agglomerate"]["most_superpixels"],
        model=linking_plan.agglomeration_model.stamp,
        aside=study.aside(model=linking_plan.agglomeration_model.given),
        code=script_hash("linking_agglomerate"),
    script:
        "../../scripts/linking_agglomerate.py"


rule linking_segments:
    """Cut the merge tree of a volume into segments."""
    input:
        superpixels="<results>/linking/watershed/{volume}.zarr",
        contacts=expand("<results>/linking/contacts/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        tree="<results>/linking/agglomerate/{volume}.parquet",
        basins=expand("<results>/linking/basins/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        predicted=branch(
            linking_plan.has_membrane,
            then=[],
            otherwise=expand("<results>/linking/membranes/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        ),
    output:
        segments=directory("<results>/linking/segments/{volume}.zarr"),
        gaps="<results>/linking/gaps/{volume}.parquet",
    log:
        "<logs>/linking_segments/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_segments", linking_plan.whole),
    params:
        threshold=config["linking"]["agglomerate"]["threshold"],
        cuboid=config["linking"]["cuboid"],
        code=script_hash("linking_segments"),
    script:
        "../../scripts/linking_segments.py"


rule linking_measure:
    """Measure the segments in the cuboids of a shard."""
    input:
        segmentation=linking_plan.segmentation,
        gaps=branch(linking_plan.is_computed, then="<results>/linking/gaps/{volume}.parquet", otherwise=[]),
    output:
        done="<results>/linking/measure/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_measure/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_measure/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_measure/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_measure", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        cuboid=config["linking"]["cuboid"],
        inputs=linking_plan.stamps("segmentation"),
        aside=linking_plan.aside("segmentation"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_measure"),
    script:
        "../../scripts/linking_measure.py"


rule linking_join:
    """Join what was measured in the cuboids of a volume to its segments."""
    input:
        segmentation=linking_plan.segmentation,
        gaps=branch(linking_plan.is_computed, then="<results>/linking/gaps/{volume}.parquet", otherwise=[]),
        measured=expand("<results>/linking/measure/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
    output:
        "<results>/linking/join/{volume}.parquet",
    log:
        "<logs>/linking_join/{volume}.log",
    benchmark:
        "<benchmarks>/linking_join/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_join", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        cuboid=config["linking"]["cuboid"],
        inputs=linking_plan.stamps("segmentation"),
        aside=linking_plan.aside("segmentation"),
        code=script_hash("linking_join"),
    script:
        "../../scripts/linking_join.py"


rule linking_pieces:
    """Cut the surfaces of segments into pieces, in the cuboids of a shard."""
    input:
        segmentation=linking_plan.segmentation,
        segments="<results>/linking/join/{volume}.parquet",
    output:
        done="<results>/linking/pieces/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_pieces/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_pieces/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_pieces/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_pieces", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        cuboid=config["linking"]["cuboid"],
        min_um3=linking_plan.surface_min_um3,
        inputs=linking_plan.stamps("segmentation"),
        aside=linking_plan.aside("segmentation"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_pieces"),
    script:
        "../../scripts/linking_pieces.py"


rule linking_shapes:
    """Describe the surfaces of the segments of a shard."""
    input:
        segmentation=linking_plan.segmentation,
        segments="<results>/linking/join/{volume}.parquet",
        pieces=expand("<results>/linking/pieces/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        types=linking_plan.taught_types,
    output:
        done="<results>/linking/shapes/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_shapes/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_shapes/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_shapes/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_shapes", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        cuboid=config["linking"]["cuboid"],
        min_um3=linking_plan.surface_min_um3,
        group_nm=config["linking"]["candidates"]["group_nm"],
        inputs=linking_plan.shape_stamps,
        aside=linking_plan.aside("segmentation"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_shapes"),
    script:
        "../../scripts/linking_shapes.py"


rule linking_train_typing:
    """Train the forest that types segments by their shape."""
    input:
        **per_volume("segments", linking_plan.typing_teachers, "<results>/linking/join/{volume}.parquet"),
        **linking_plan.shapes(linking_plan.typing_teachers),
        **linking_plan.segmentations(linking_plan.typing_teachers),
        **linking_plan.files_of(linking_plan.typing_teachers, "truth_types", "truth_links"),
    output:
        model="<results>/models/typing.skops",
        unseen="<results>/models/typing_unseen.parquet",
    log:
        "<logs>/linking_train_typing.log",
    benchmark:
        "<benchmarks>/linking_train_typing.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_train_typing", linking_plan.every(linking_plan.typing_teachers)),
    params:
        each=linking_plan.voxels_of(linking_plan.typing_teachers),
        tissues=linking_plan.tissues(linking_plan.typing_teachers),
        working_nm=config["linking"]["typing"]["working_nm"],
        seed=config["seed"],
        inputs=linking_plan.stamps_of(linking_plan.typing_teachers, "segmentation", "truth_types", "truth_links"),
        aside=study.aside(rows=linking_plan.rows_of(linking_plan.typing_teachers, "segmentation")),
        code=script_hash("linking_train_typing"),
    script:
        "../../scripts/linking_train_typing.py"


rule linking_typing:
    """Tell orphans, shafts and others of the segments of a volume apart."""
    input:
        segmentation=linking_plan.segmentation,
        segments="<results>/linking/join/{volume}.parquet",
        pieces=expand("<results>/linking/pieces/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        shapes=expand("<results>/linking/shapes/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        model=linking_plan.typing_model.trained,
        unseen=linking_plan.unseen_types,
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
        **asks("linking_typing", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        settings=linking_plan.typing,
        by_shape=linking_plan.typed_by_shape,
        model=linking_plan.typing_model.stamp,
        inputs=linking_plan.stamps("segmentation"),
        aside=linking_plan.aside("segmentation", model=linking_plan.typing_model.given),
        code=script_hash("linking_typing"),
    script:
        "../../scripts/linking_typing.py"


rule linking_synapses:
    """Find the two neurites of each synapse of a volume."""
    input:
        segmentation=linking_plan.segmentation,
        synapses=linking_plan.file("synapses"),
        objects=branch(linking_plan.has_synapses, then=[], otherwise="<results>/synapses/merge/{volume}.parquet"),
    output:
        "<results>/linking/synapses/{volume}.parquet",
    log:
        "<logs>/linking_synapses/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_synapses", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        inputs=linking_plan.stamps("segmentation", "synapses"),
        aside=linking_plan.aside("segmentation", "synapses"),
        code=script_hash("linking_synapses"),
    script:
        "../../scripts/linking_synapses.py"


rule linking_candidates:
    """Find the candidate shafts of the orphans of a shard."""
    input:
        segmentation=linking_plan.segmentation,
        membrane=linking_plan.way_membrane,
        typing="<results>/linking/typing/{volume}.parquet",
        synapses=linking_plan.neurites_of_synapses,
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
        **asks("linking_candidates", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        radius_nm=config["linking"]["candidates"]["radius_nm"],
        group_nm=config["linking"]["candidates"]["group_nm"],
        inputs=linking_plan.stamps("segmentation", "membrane"),
        aside=linking_plan.aside("segmentation", "membrane"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_candidates"),
    script:
        "../../scripts/linking_candidates.py"


rule linking_detach:
    """Cut spines of a volume off at the neck, as a sample sheet of its own."""
    input:
        segmentation=linking_plan.segmentation,
        types=linking_plan.file("truth_types"),
        typing=branch(linking_plan.is_typed, then=[], otherwise="<results>/linking/typing/{volume}.parquet"),
    output:
        directory("<results>/linking/detach/{volume}"),
    log:
        "<logs>/linking_detach/{volume}.log",
    benchmark:
        "<benchmarks>/linking_detach/{volume}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_detach", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        settings=linking_plan.detaching,
        seed=config["seed"],
        inputs=linking_plan.stamps("segmentation", "truth_types"),
        aside=linking_plan.aside("segmentation"),
        code=script_hash("linking_detach"),
    script:
        "../../scripts/linking_detach.py"


rule linking_truth:
    """Take the true links of a volume as given, or from where its segments lie in a dense truth."""
    input:
        typing="<results>/linking/typing/{volume}.parquet",
        truth_links=linking_plan.file("truth_links"),
        segmentation=branch(linking_plan.is_linked, then=[], otherwise=linking_plan.segmentation),
        truth_segmentation=branch(linking_plan.is_linked, then=[], otherwise=linking_plan.file("truth_segmentation")),
    output:
        links="<results>/linking/truth/{volume}/links.parquet",
        fragments="<results>/linking/truth/{volume}/fragments.parquet",
    log:
        "<logs>/linking_truth/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_truth", linking_plan.whole),
    params:
        cuboid=config["linking"]["cuboid"],
        voxel_nm=linking_plan.voxel_nm,
        inputs=linking_plan.truth_stamps,
        aside=linking_plan.aside("segmentation", "truth_segmentation", "truth_links"),
        code=script_hash("linking_truth"),
    script:
        "../../scripts/linking_truth.py"


rule linking_train_links:
    """Train the model that tells true from false links."""
    input:
        **linking_plan.candidates(linking_plan.link_teachers),
        **per_volume("truth", linking_plan.link_teachers, "<results>/linking/truth/{volume}/links.parquet"),
        **per_volume("typing", linking_plan.link_teachers, "<results>/linking/typing/{volume}.parquet"),
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
        **asks("linking_train_links", linking_plan.every(linking_plan.link_teachers)),
    params:
        tissues=linking_plan.tissues(linking_plan.link_teachers),
        group_nm=config["linking"]["candidates"]["group_nm"],
        working_nm=config["linking"]["typing"]["working_nm"],
        seed=config["seed"],
        code=script_hash("linking_train_links"),
    script:
        "../../scripts/linking_train_links.py"


rule linking_links:
    """Link every orphan to its most probable shaft."""
    input:
        **linking_plan.candidates(linking_plan.volumes),
        **per_volume("typing", linking_plan.volumes, "<results>/linking/typing/{volume}.parquet"),
        **per_volume("synapses", linking_plan.with_synapses, "<results>/linking/synapses/{volume}.parquet"),
        **per_volume("gaps", linking_plan.with_found_synapses, "<results>/synapses/gaps/{volume}.parquet"),
        model=linking_plan.links_model.trained,
        decisions=config["linking"]["proofread"]["decisions"] or [],
    output:
        links=report(
            directory("<results>/linking/links.parquet"),
            patterns=["{name}.parquet"],
            caption="../report/linking_links.rst",
            category="Linking",
        ),
        spines=report(
            directory("<results>/linking/spines.parquet"),
            patterns=["{name}.parquet"],
            caption="../report/linking_spines.rst",
            category="Linking",
        ),
        violations="<results>/linking/violations.parquet",
        line_graph=directory("<results>/linking/line_graph.parquet"),
        bridges=directory("<results>/linking/bridges.parquet"),
        limits="<results>/linking/limits.parquet",
        graphs=directory("<results>/linking/graphs"),
    log:
        "<logs>/linking_links.log",
    benchmark:
        "<benchmarks>/linking_links.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_links", linking_plan.every(linking_plan.volumes)),
    params:
        volumes=linking_plan.volumes,
        group_nm=config["linking"]["candidates"]["group_nm"],
        working_nm=config["linking"]["typing"]["working_nm"],
        threshold=config["linking"]["links"]["threshold"],
        model=linking_plan.links_model.stamp,
        inputs=study.given([config["linking"]["proofread"]["decisions"]]),
        aside=study.aside(model=linking_plan.links_model.given),
        code=script_hash("linking_links"),
    script:
        "../../scripts/linking_links.py"


rule linking_proofread:
    """Order the orphans by what a decision is worth, each with its view in Neuroglancer."""
    input:
        **linking_plan.segmentations(linking_plan.volumes),
        **per_volume("typing", linking_plan.volumes, "<results>/linking/typing/{volume}.parquet"),
        **per_volume("synapses", linking_plan.with_synapses, "<results>/linking/synapses/{volume}.parquet"),
        **per_volume("gaps", linking_plan.with_found_synapses, "<results>/synapses/gaps/{volume}.parquet"),
        links="<results>/linking/links.parquet",
    output:
        "<results>/linking/queue.tsv",
    log:
        "<logs>/linking_proofread.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_proofread", linking_plan.every(linking_plan.volumes)),
    params:
        # the views hold where the volumes lie, so that here their paths count
        places=linking_plan.rows_of(linking_plan.volumes, "segmentation", "image"),
        url=config["linking"]["proofread"]["url"],
        viewer=config["linking"]["proofread"]["viewer"],
        candidates=config["linking"]["proofread"]["candidates"],
        aside=study.aside(rows=linking_plan.rows_of(linking_plan.volumes, "segmentation", "image")),
        code=script_hash("linking_proofread"),
    script:
        "../../scripts/linking_proofread.py"


rule linking_dendrites:
    """Cut the surfaces of linked dendrites into pieces, in the cuboids of a shard."""
    input:
        segmentation=linking_plan.segmentation,
        typing="<results>/linking/typing/{volume}.parquet",
        bridges="<results>/linking/bridges.parquet",
    output:
        done="<results>/linking/dendrites/{volume}/{shard}.parquet",
        failures="<results>/failures/linking_dendrites/{volume}/{shard}.parquet",
    log:
        "<logs>/linking_dendrites/{volume}/{shard}.log",
    benchmark:
        "<benchmarks>/linking_dendrites/{volume}/{shard}.tsv"
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_dendrites", linking_plan.cuboids("linking")),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        cuboid=config["linking"]["cuboid"],
        min_thickest_nm=config["linking"]["meshes"]["min_thickest_nm"],
        bridge_nm=config["linking"]["meshes"]["bridge_nm"],
        inputs=linking_plan.stamps("segmentation"),
        aside=linking_plan.aside("segmentation"),
        shards=config["linking"]["shards"],
        code=script_hash("linking_dendrites"),
    script:
        "../../scripts/linking_dendrites.py"


rule linking_meshes:
    """Mesh the linked dendrites of a volume, each with its input synapses."""
    input:
        segmentation=linking_plan.segmentation,
        typing="<results>/linking/typing/{volume}.parquet",
        bridges="<results>/linking/bridges.parquet",
        pieces=expand("<results>/linking/dendrites/{{volume}}/{shard}.parquet", shard=linking_plan.shards),
        synapses=linking_plan.neurites_of_synapses,
        gaps=branch(linking_plan.finds_synapses, then="<results>/synapses/gaps/{volume}.parquet", otherwise=[]),
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
        **asks("linking_meshes", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        working_nm=config["linking"]["typing"]["working_nm"],
        cuboid=config["linking"]["cuboid"],
        min_thickest_nm=config["linking"]["meshes"]["min_thickest_nm"],
        error_nm=config["linking"]["meshes"]["error_nm"],
        inputs=linking_plan.stamps("segmentation"),
        aside=linking_plan.aside("segmentation"),
        code=script_hash("linking_meshes"),
    script:
        "../../scripts/linking_meshes.py"


rule linking_thresholds:
    """Score the segments of a volume for every threshold of its merge tree."""
    input:
        superpixels="<results>/linking/watershed/{volume}.zarr",
        tree="<results>/linking/agglomerate/{volume}.parquet",
        gaps="<results>/linking/gaps/{volume}.parquet",
        truth_segmentation=linking_plan.file("truth_segmentation"),
    output:
        "<results>/linking/thresholds/{volume}.parquet",
    log:
        "<logs>/linking_thresholds/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_thresholds", linking_plan.whole),
    params:
        cuboid=config["linking"]["cuboid"],
        voxel_nm=linking_plan.voxel_nm,
        inputs=linking_plan.stamps("truth_segmentation"),
        aside=linking_plan.aside("truth_segmentation"),
        code=script_hash("linking_thresholds"),
    script:
        "../../scripts/linking_thresholds.py"


rule linking_true_graph:
    """Make the true line graph of a volume's synapses, and match the synapses found with it."""
    input:
        segmentation=branch(
            linking_plan.is_dense,
            then=linking_plan.file("truth_segmentation"),
            otherwise=linking_plan.segmentation,
        ),
        links="<results>/linking/truth/{volume}/links.parquet",
        truth_synapses=linking_plan.file("truth_synapses"),
        synapses=branch(
            linking_plan.has_synapses,
            then=linking_plan.file("synapses"),
            otherwise="<results>/synapses/labels/{volume}.zarr",
        ),
        painted=branch(linking_plan.has_synapses, then=[], otherwise=linking_plan.painted),
        gaps=branch(linking_plan.finds_synapses, then="<results>/synapses/gaps/{volume}.parquet", otherwise=[]),
    output:
        pairs="<results>/linking/true_graph/{volume}/pairs.parquet",
        matches="<results>/linking/true_graph/{volume}/matches.parquet",
    log:
        "<logs>/linking_true_graph/{volume}.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_true_graph", linking_plan.whole),
    params:
        voxel_nm=linking_plan.voxel_nm,
        inputs=linking_plan.stamps("truth_segmentation", "segmentation", "truth_synapses", "synapses"),
        aside=linking_plan.aside("truth_segmentation", "segmentation", "truth_synapses", "synapses"),
        code=script_hash("linking_true_graph"),
    script:
        "../../scripts/linking_true_graph.py"


rule linking_evaluate:
    """Score segments, links and the line graph of volumes that no model was trained on."""
    input:
        **linking_plan.segmentations(linking_plan.dense),
        **linking_plan.files_of(linking_plan.dense, "truth_segmentation"),
        **per_volume("gaps", linking_plan.dense, "<results>/linking/gaps/{volume}.parquet"),
        **per_volume("truth", linking_plan.scored, "<results>/linking/truth/{volume}/links.parquet"),
        **per_volume("synapses", linking_plan.true_graphs, "<results>/linking/synapses/{volume}.parquet"),
        **per_volume("pairs", linking_plan.true_graphs, "<results>/linking/true_graph/{volume}/pairs.parquet"),
        **per_volume("matches", linking_plan.true_graphs, "<results>/linking/true_graph/{volume}/matches.parquet"),
        **per_volume("fragments", linking_plan.true_graphs, "<results>/linking/truth/{volume}/fragments.parquet"),
        links="<results>/linking/links.parquet",
    output:
        evaluation=report(
            "<results>/linking/evaluation.tsv", caption="../report/linking_evaluation.rst", category="Linking"
        ),
        detachment="<results>/linking/detachment.parquet",
        topk="<results>/linking/topk.parquet",
    log:
        "<logs>/linking_evaluate.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_evaluate", linking_plan.every(linking_plan.scored)),
    params:
        cuboid=config["linking"]["cuboid"],
        each=linking_plan.voxels_of(linking_plan.dense),
        scored=linking_plan.scored,
        graphs=linking_plan.true_graphs,
        seed=config["seed"],
        inputs=linking_plan.stamps_of(linking_plan.dense, "segmentation", "truth_segmentation"),
        aside=study.aside(rows=linking_plan.rows_of(linking_plan.dense, "segmentation", "truth_segmentation")),
        code=script_hash("linking_evaluate"),
    script:
        "../../scripts/linking_evaluate.py"


rule linking_figures:
    """Draw the figures of the branch."""
    input:
        **linking_plan.segmentations(linking_plan.shown),
        **linking_plan.files_of(linking_plan.shown, "image", "truth_segmentation"),
        **per_volume("typing", linking_plan.shown, "<results>/linking/typing/{volume}.parquet"),
        **per_volume("superpixels", linking_plan.computed, "<results>/linking/watershed/{volume}.zarr"),
        **per_volume("gaps", linking_plan.computed, "<results>/linking/gaps/{volume}.parquet"),
        **per_volume("truth", linking_plan.scored, "<results>/linking/truth/{volume}/links.parquet"),
        **per_volume("thresholds", linking_plan.dense, "<results>/linking/thresholds/{volume}.parquet"),
        links="<results>/linking/links.parquet",
        limits="<results>/linking/limits.parquet",
        bridges="<results>/linking/bridges.parquet",
        evaluation=branch(bool(linking_plan.true_graphs), then="<results>/linking/evaluation.tsv", otherwise=[]),
        detachment=branch(bool(linking_plan.true_graphs), then="<results>/linking/detachment.parquet", otherwise=[]),
    output:
        report(
            directory("<results>/linking/figures"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Linking",
        ),
    log:
        "<logs>/linking_figures.log",
    conda:
        "../../envs/linking.yaml"
    threads: 1
    resources:
        **asks("linking_figures", linking_plan.every(linking_plan.volumes)),
    params:
        each=linking_plan.voxels_of(linking_plan.shown),
        working_nm=config["linking"]["typing"]["working_nm"],
        threshold=config["linking"]["agglomerate"]["threshold"],
        inputs=linking_plan.stamps_of(linking_plan.shown, "segmentation", "image", "truth_segmentation"),
        aside=study.aside(rows=linking_plan.rows_of(linking_plan.shown, "segmentation", "image", "truth_segmentation")),
        code=script_hash("linking_figures"),
    script:
        "../../scripts/linking_figures.py"
