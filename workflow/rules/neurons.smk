# The neurons branch: meshes to heat kernel signatures, labelled synapses and spines.
#
# A unit is a neuron. Shards 0 to n-1 hold the neurons of the sample sheet; a shard `volume-NAME` holds those that
# the linking branch meshed from a volume, which are known only when it runs.
include: "neurons_inputs.smk"


localrules:
    neurons,


rule neurons:
    input:
        branch(
            bool(neuron_shards),
            then=[
                "<results>/neurons/synapses.parquet",
                "<results>/neurons/spines.parquet",
                "<results>/neurons/neurons.parquet",
                "<results>/neurons/figures",
            ],
            otherwise=[],
        ),
        branch(bool(neuron_scored), then=["<results>/neurons/evaluation.tsv"], otherwise=[]),
        expand("<results>/neurons/exchange/{shard}.parquet", shard=neuron_plan),
        neuron_features,


rule neurons_simplify:
    input:
        meshes=neuron_files("mesh"),
        folder=neuron_folder,
    output:
        done="<results>/neurons/simplify/{shard}.parquet",
        failures="<results>/failures/neurons_simplify/{shard}.parquet",
    log:
        "<logs>/neurons_simplify/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_simplify/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        rows=neuron_params("mesh"),
        options=config["neurons"]["simplify"],
        store=f"{config['results']}/units/neurons_simplify/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.simplify", "spinome.neurons.members"),
    script:
        "../../scripts/neurons_simplify.py"


rule neurons_hks:
    input:
        simplified="<results>/neurons/simplify/{shard}.parquet",
    output:
        done="<results>/neurons/hks/{shard}.parquet",
        failures="<results>/failures/neurons_hks/{shard}.parquet",
    log:
        "<logs>/neurons_hks/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_hks/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=120,
    params:
        options=neuron_solver,
        store=f"{config['results']}/units/neurons_hks/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.hks"),
    script:
        "../../scripts/neurons_hks.py"


rule neurons_condense:
    input:
        simplified="<results>/neurons/simplify/{shard}.parquet",
        signatures="<results>/neurons/hks/{shard}.parquet",
    output:
        done="<results>/neurons/condense/{shard}.parquet",
        failures="<results>/failures/neurons_condense/{shard}.parquet",
    log:
        "<logs>/neurons_condense/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_condense/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        distance=config["neurons"]["condense"]["distance"],
        store=f"{config['results']}/units/neurons_condense/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.condense"),
    script:
        "../../scripts/neurons_condense.py"


rule neurons_features:
    input:
        simplified="<results>/neurons/simplify/{shard}.parquet",
        domains="<results>/neurons/condense/{shard}.parquet",
    output:
        done="<results>/neurons/features/{shard}.parquet",
        failures="<results>/failures/neurons_features/{shard}.parquet",
    log:
        "<logs>/neurons_features/{shard}.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        storage=config["neurons"]["features"]["storage"],
        journal=f"{config['results']}/units/neurons_features/{{shard}}.jsonl",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.storage", "spinome.neurons.members"),
    script:
        "../../scripts/neurons_features.py"


rule neurons_train:
    input:
        meshes=lambda wildcards: neuron_sources(neuron_training(), "mesh"),
        truth=lambda wildcards: neuron_sources(neuron_training(), "truth_labels"),
        synapses=lambda wildcards: neuron_sources(neuron_training(), "synapses"),
        simplified=lambda wildcards: expand(
            "<results>/neurons/simplify/{shard}.parquet", shard=neuron_shards_of(neuron_training())
        ),
        domains=lambda wildcards: expand(
            "<results>/neurons/condense/{shard}.parquet", shard=neuron_shards_of(neuron_training())
        ),
    output:
        model="<results>/models/neurons.skops",
        scores=report("<results>/neurons/training.tsv", caption="../report/neurons_training.rst", category="Neurons"),
        predicted="<results>/neurons/training_predicted.parquet",
        confusion="<results>/neurons/training_confusion.tsv",
        calibration="<results>/neurons/training_calibration.tsv",
        importance="<results>/neurons/training_importance.tsv",
    log:
        "<logs>/neurons_train.log",
    benchmark:
        "<benchmarks>/neurons_train.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        rows=neuron_rows(neuron_trained, "mesh", "synapses", "synapse_voxel_nm", "root_id"),
        truth={row.neuron: row.truth_labels for row in neuron_trained},
        weight={row.neuron: row.truth_weight for row in neuron_trained},
        options={
            "simplify": config["neurons"]["simplify"],
            "hks": neuron_solver,
            "condense": config["neurons"]["condense"],
        },
        seed=config["seed"],
        code=code_hash("spinome.neurons.train", "spinome.neurons.validate"),
    script:
        "../../scripts/neurons_train.py"


rule neurons_classify:
    input:
        domains="<results>/neurons/condense/{shard}.parquet",
        model=neuron_model,
    output:
        done="<results>/neurons/classify/{shard}.parquet",
        failures="<results>/failures/neurons_classify/{shard}.parquet",
    log:
        "<logs>/neurons_classify/{shard}.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        hks=neuron_solver,
        store=f"{config['results']}/units/neurons_classify/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.classify", "spinome.neurons.members"),
    script:
        "../../scripts/neurons_classify.py"


rule neurons_spines:
    input:
        meshes=neuron_files("mesh"),
        folder=neuron_folder,
        simplified="<results>/neurons/simplify/{shard}.parquet",
        domains="<results>/neurons/condense/{shard}.parquet",
        classes="<results>/neurons/classify/{shard}.parquet",
    output:
        done="<results>/neurons/labelled/{shard}.parquet",
        failures="<results>/failures/neurons_spines/{shard}.parquet",
    log:
        "<logs>/neurons_spines/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_spines/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        rows=neuron_params("mesh"),
        min_area=config["neurons"]["spines"]["min_area_um2"],
        rise=config["neurons"]["spines"]["rise_nm"],
        store=f"{config['results']}/units/neurons_spines/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.labelled", "spinome.neurons.members"),
    script:
        "../../scripts/neurons_spines.py"


rule neurons_synapses:
    input:
        meshes=neuron_files("mesh"),
        synapses=neuron_files("synapses"),
        folder=neuron_folder,
        labelled="<results>/neurons/labelled/{shard}.parquet",
    output:
        done="<results>/neurons/synapses/{shard}.parquet",
        failures="<results>/failures/neurons_synapses/{shard}.parquet",
    log:
        "<logs>/neurons_synapses/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_synapses/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        rows=neuron_params("mesh", "synapses", "synapse_voxel_nm", "root_id"),
        max_distance=config["neurons"]["synapses"]["max_distance_nm"],
        store=f"{config['results']}/units/neurons_synapses/{{shard}}",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.synapses", "spinome.neurons.members"),
    script:
        "../../scripts/neurons_synapses.py"


rule neurons_exchange:
    input:
        meshes=neuron_files("mesh"),
        labelled="<results>/neurons/labelled/{shard}.parquet",
        synapses="<results>/neurons/synapses/{shard}.parquet",
    output:
        done="<results>/neurons/exchange/{shard}.parquet",
        failures="<results>/failures/neurons_exchange/{shard}.parquet",
    log:
        "<logs>/neurons_exchange/{shard}.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        rows=neuron_params("mesh"),
        journal=f"{config['results']}/units/neurons_exchange/{{shard}}.jsonl",
        max_failed_fraction=config["max_failed_fraction"],
        code=code_hash("spinome.neurons.exchange", "spinome.neurons.members"),
    script:
        "../../scripts/neurons_exchange.py"


rule neurons_tables:
    input:
        tables=neuron_sources(neurons, "synapses"),
        folders=expand("<results>/linking/meshes/{volume}", volume=linking_volumes),
        labelled=expand("<results>/neurons/labelled/{shard}.parquet", shard=neuron_shards),
        synapses=expand("<results>/neurons/synapses/{shard}.parquet", shard=neuron_shards),
        failures=neuron_failures,
    output:
        synapses=report(
            "<results>/neurons/synapses.parquet", caption="../report/neurons_synapses.rst", category="Neurons"
        ),
        spines=report("<results>/neurons/spines.parquet", caption="../report/neurons_spines.rst", category="Neurons"),
        neurons="<results>/neurons/neurons.parquet",
    log:
        "<logs>/neurons_tables.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        rows=neuron_rows(neurons, "mesh", "synapses", "synapse_voxel_nm", "root_id"),
        volume_shards=neuron_volume_shards,
        same_head=config["neurons"]["spines"]["same_head_nm"],
        code=code_hash("spinome.neurons.tables"),
    script:
        "../../scripts/neurons_tables.py"


rule neurons_evaluate:
    input:
        meshes=neuron_sources(neuron_scored, "mesh"),
        truth=neuron_sources(neuron_scored, "truth_labels"),
        synapses="<results>/neurons/synapses.parquet",
        neurons="<results>/neurons/neurons.parquet",
        labelled=expand("<results>/neurons/labelled/{shard}.parquet", shard=neuron_shards_of(neuron_scored)),
    output:
        evaluation=report(
            "<results>/neurons/evaluation.tsv", caption="../report/neurons_evaluation.rst", category="Neurons"
        ),
        compared="<results>/neurons/compared.parquet",
    log:
        "<logs>/neurons_evaluate.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        rows=neuron_rows(neuron_scored, "mesh"),
        truth={row.neuron: row.truth_labels for row in neuron_scored},
        min_area=config["neurons"]["spines"]["min_area_um2"],
        code=code_hash("spinome.neurons.evaluate"),
    script:
        "../../scripts/neurons_evaluate.py"


rule neurons_figures:
    input:
        meshes=neuron_sources(neurons, "mesh"),
        folders=expand("<results>/linking/meshes/{volume}", volume=linking_volumes),
        synapses="<results>/neurons/synapses.parquet",
        spines="<results>/neurons/spines.parquet",
        labelled=expand("<results>/neurons/labelled/{shard}.parquet", shard=neuron_shards),
        compared=branch(bool(neuron_scored), then="<results>/neurons/compared.parquet", otherwise=[]),
        trained=branch(
            bool(neuron_trained),
            then=["<results>/neurons/training_predicted.parquet", "<results>/neurons/training_importance.tsv"],
            otherwise=[],
        ),
    output:
        directory("<results>/neurons/figures"),
    log:
        "<logs>/neurons_figures.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=30,
    params:
        rows=neuron_rows(neurons, "mesh"),
        truth={row.neuron: row.truth_labels for row in neurons if row.truth_labels},
        trained=[row.neuron for row in neuron_trained],
        shown=12,
        volume_shards=neuron_volume_shards,
        code=code_hash("spinome.report.neurons", "spinome.report.neurons_training"),
    script:
        "../../scripts/neurons_figures.py"
