# The neurons branch: meshes to heat kernel signatures, labelled synapses and spines.
from spinome.workflow.plans.neurons import NeuronsPlan, Told, rows_of

neurons_plan = planned(NeuronsPlan, study, tuple(linking_plan.volumes))
if neurons_plan.shards:
    branches.append("neurons")
failure_tables += neurons_plan.all_failures
finished_tables |= neurons_plan.finished


localrules:
    neurons,


rule neurons:
    """Run the neurons branch."""
    input:
        # of those that were forgotten, so that they are tried again
        neurons_plan.all_failures,
        branch(
            bool(neurons_plan.shards),
            then=[
                "<results>/neurons/synapses.parquet",
                "<results>/neurons/spines.parquet",
                "<results>/neurons/neurons.parquet",
                "<results>/neurons/limits.parquet",
                "<results>/neurons/figures",
            ],
            otherwise=[],
        ),
        branch(bool(neurons_plan.scored), then=["<results>/neurons/evaluation.tsv"], otherwise=[]),
        expand("<results>/neurons/exchange/{shard}.parquet", shard=neurons_plan.sheet_shards),
        branch(
            bool(config["neurons"]["features"]["storage"]),
            then=expand("<results>/neurons/features/{shard}.parquet", shard=neurons_plan.sheet_shards),
            otherwise=[],
        ),


rule neurons_simplify:
    """Simplify the meshes of a shard, and keep where each vertex went."""
    input:
        meshes=neurons_plan.files("mesh"),
        folder=neurons_plan.folder,
        fetched=neurons_plan.fetched,
    output:
        done=passed_on("<results>/neurons/simplify/{shard}.parquet", neurons_plan.keeps_all),
        failures="<results>/failures/neurons_simplify/{shard}.parquet",
    log:
        "<logs>/neurons_simplify/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_simplify/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_simplify", neurons_plan.shard_size),
        **neurons_plan.fetches,
    params:
        each=neurons_plan.addresses,
        options=neurons_plan.simplification,
        inputs=neurons_plan.stamps("mesh"),
        aside=neurons_plan.aside("mesh", readers=neurons_plan.readers),
        code=script_hash("neurons_simplify"),
    script:
        "../../scripts/neurons_simplify.py"


rule neurons_hks:
    """Compute the heat kernel signatures of the simplified meshes of a shard."""
    input:
        meshes=neurons_plan.files("mesh"),
        fetched=neurons_plan.fetched,
        folder=neurons_plan.folder,
        simplified="<results>/neurons/simplify/{shard}.parquet",
    output:
        done=passed_on("<results>/neurons/hks/{shard}.parquet", neurons_plan.keeps_all),
        failures="<results>/failures/neurons_hks/{shard}.parquet",
    log:
        "<logs>/neurons_hks/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_hks/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_hks", neurons_plan.shard_size),
        **neurons_plan.fetches,
    params:
        options=neurons_plan.solver,
        inputs=neurons_plan.stamps("mesh"),
        aside=neurons_plan.aside("mesh", readers=neurons_plan.readers),
        code=script_hash("neurons_hks"),
    script:
        "../../scripts/neurons_hks.py"


rule neurons_condense:
    """Condense the signatures of a shard into domains."""
    input:
        meshes=neurons_plan.files("mesh"),
        fetched=neurons_plan.fetched,
        folder=neurons_plan.folder,
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
        **asks("neurons_condense", neurons_plan.shard_size),
        **neurons_plan.fetches,
    params:
        distance=config["neurons"]["condense"]["distance"],
        inputs=neurons_plan.unkept,
        aside=neurons_plan.aside("mesh", readers=neurons_plan.readers),
        code=script_hash("neurons_condense"),
    script:
        "../../scripts/neurons_condense.py"


rule neurons_features:
    """Store the condensed features of the neurons of a shard in the chosen form."""
    input:
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
        **asks("neurons_features", neurons_plan.shard_size),
    params:
        storage=config["neurons"]["features"]["storage"],
        aside=study.aside(),
        code=script_hash("neurons_features"),
    script:
        "../../scripts/neurons_features.py"


rule neurons_train:
    """Train the forest of soma, shaft and spine on the neurons that the configuration names."""
    input:
        **neurons_plan.step("condense", neurons_plan.trained),
        meshes=neurons_plan.files_of(neurons_plan.trained, "mesh"),
        fetched=neurons_plan.fetched_of(neurons_plan.trained),
        truth=neurons_plan.files_of(neurons_plan.trained, "truth_labels"),
        synapses=neurons_plan.files_of(neurons_plan.trained, "synapses"),
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
        **asks("neurons_train", neurons_plan.sizes_of(neurons_plan.trained)),
        **neurons_plan.fetches,
    params:
        each=rows_of(neurons_plan.trained, "synapse_voxel_nm", "root_id", "truth_weight"),
        options={
            "simplify": neurons_plan.simplification,
            "hks": neurons_plan.solver,
            "condense": config["neurons"]["condense"],
        },
        seed=config["seed"],
        inputs=neurons_plan.stamps_of(neurons_plan.trained, "mesh", "truth_labels", "synapses"),
        aside=study.aside(
            rows=rows_of(neurons_plan.trained, "mesh", "synapses", "synapse_voxel_nm", "root_id"),
            truth={row.neuron: row.truth_labels for row in neurons_plan.trained},
            addresses=neurons_plan.addresses_of(neurons_plan.trained),
        ),
        code=script_hash("neurons_train"),
    script:
        "../../scripts/neurons_train.py"


rule neurons_classify:
    """Give the domains of a shard their class probabilities."""
    input:
        domains="<results>/neurons/condense/{shard}.parquet",
        model=neurons_plan.model.trained,
    output:
        done="<results>/neurons/classify/{shard}.parquet",
        failures="<results>/failures/neurons_classify/{shard}.parquet",
    log:
        "<logs>/neurons_classify/{shard}.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_classify", neurons_plan.shard_size),
    params:
        hks=neurons_plan.solver,
        model=neurons_plan.model.stamp,
        aside=study.aside(model=neurons_plan.model.given),
        code=script_hash("neurons_classify"),
    script:
        "../../scripts/neurons_classify.py"


rule neurons_limits:
    """Hold what the meshes of neurons are like against what the forest was trained on."""
    input:
        **neurons_plan.step("classify"),
        model=neurons_plan.model.trained,
    output:
        "<results>/neurons/limits.parquet",
    log:
        "<logs>/neurons_limits.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_limits", neurons_plan.every_size),
    params:
        hks=neurons_plan.solver,
        model=neurons_plan.model.stamp,
        aside=study.aside(model=neurons_plan.model.given),
        code=script_hash("neurons_limits"),
    script:
        "../../scripts/neurons_limits.py"


rule neurons_spines:
    """Label the vertices of the meshes of a shard, and find and measure their spines."""
    input:
        meshes=neurons_plan.files("mesh"),
        fetched=neurons_plan.fetched,
        folder=neurons_plan.folder,
        domains="<results>/neurons/condense/{shard}.parquet",
        classes="<results>/neurons/classify/{shard}.parquet",
    output:
        done="<results>/neurons/spines/{shard}.parquet",
        failures="<results>/failures/neurons_spines/{shard}.parquet",
    log:
        "<logs>/neurons_spines/{shard}.log",
    benchmark:
        "<benchmarks>/neurons_spines/{shard}.tsv"
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_spines", neurons_plan.shard_size),
        **neurons_plan.fetches,
    params:
        each=neurons_plan.decided,
        min_area=config["neurons"]["spines"]["min_area_um2"],
        rise=config["neurons"]["spines"]["rise_nm"],
        inputs=neurons_plan.stamps("mesh"),
        aside=neurons_plan.aside("mesh"),
        code=script_hash("neurons_spines"),
    script:
        "../../scripts/neurons_spines.py"


rule neurons_synapses:
    """Label the synapses of the neurons of a shard."""
    input:
        meshes=neurons_plan.files("mesh"),
        fetched=neurons_plan.fetched,
        synapses=neurons_plan.files("synapses"),
        folder=neurons_plan.folder,
        labelled="<results>/neurons/spines/{shard}.parquet",
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
        **asks("neurons_synapses", neurons_plan.shard_size),
        **neurons_plan.fetches,
    params:
        each=neurons_plan.each("synapse_voxel_nm", "root_id"),
        max_distance=config["neurons"]["synapses"]["max_distance_nm"],
        inputs=neurons_plan.stamps("mesh", "synapses"),
        aside=neurons_plan.aside(
            "mesh", "synapses", "synapse_voxel_nm", "root_id", last=neurons_plan.last_reader == "synapses"
        ),
        code=script_hash("neurons_synapses"),
    script:
        "../../scripts/neurons_synapses.py"


rule neurons_exchange:
    """Write the labelled neurons of a shard for other programs."""
    input:
        meshes=neurons_plan.files("mesh"),
        fetched=neurons_plan.fetched,
        labelled="<results>/neurons/spines/{shard}.parquet",
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
        **asks("neurons_exchange", neurons_plan.shard_size),
        **neurons_plan.fetches,
    params:
        coloured=neurons_plan.keeps_all,
        inputs=neurons_plan.stamps("mesh"),
        aside=neurons_plan.aside("mesh", last=neurons_plan.last_reader == "exchange"),
        code=script_hash("neurons_exchange"),
    script:
        "../../scripts/neurons_exchange.py"


rule neurons_tables:
    """Gather the synapses and the spines of all neurons into two data sets, one shard after another."""
    input:
        **neurons_plan.step("spines"),
        **neurons_plan.step("synapses"),
        **neurons_plan.folders,
        tables=neurons_plan.files_of(study.neurons, "synapses"),
        failures=neurons_plan.failures,
    output:
        synapses=report(
            directory("<results>/neurons/synapses.parquet"),
            patterns=["{name}.parquet"],
            caption="../report/neurons_synapses.rst",
            category="Neurons",
        ),
        spines=report(
            directory("<results>/neurons/spines.parquet"),
            patterns=["{name}.parquet"],
            caption="../report/neurons_spines.rst",
            category="Neurons",
        ),
        pairs=directory("<results>/neurons/pairs.parquet"),
        neurons="<results>/neurons/neurons.parquet",
    log:
        "<logs>/neurons_tables.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_tables", neurons_plan.every_size),
    params:
        told=neurons_plan.told_of(study.neurons, "synapse_voxel_nm", "root_id"),
        same_head=config["neurons"]["spines"]["same_head_nm"],
        design=study.design.of("neurons", *(["volumes"] if neurons_plan.linked_volumes else [])),
        inputs=neurons_plan.stamps_of(study.neurons, "synapses"),
        aside=study.aside(
            rows=Told(study.neurons, ("mesh", "synapses", "synapse_voxel_nm", "root_id")),
            members=neurons_plan.by_shard,
        ),
        code=script_hash("neurons_tables"),
    script:
        "../../scripts/neurons_tables.py"


rule neurons_evaluate:
    """Hold labels and spines against the truth of neurons that no model was trained on."""
    input:
        **neurons_plan.step("spines", neurons_plan.scored),
        meshes=neurons_plan.files_of(neurons_plan.scored, "mesh"),
        fetched=neurons_plan.fetched_of(neurons_plan.scored),
        truth=neurons_plan.files_of(neurons_plan.scored, "truth_labels"),
        synapses="<results>/neurons/synapses.parquet",
        neurons="<results>/neurons/neurons.parquet",
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
        **asks("neurons_evaluate", neurons_plan.sizes_of(neurons_plan.scored)),
        **neurons_plan.fetches,
    params:
        min_area=config["neurons"]["spines"]["min_area_um2"],
        inputs=neurons_plan.stamps_of(neurons_plan.scored, "mesh", "truth_labels"),
        aside=study.aside(
            rows=rows_of(neurons_plan.scored, "mesh"),
            truth={row.neuron: row.truth_labels for row in neurons_plan.scored},
            addresses=neurons_plan.addresses_of(neurons_plan.scored),
        ),
        code=script_hash("neurons_evaluate"),
    script:
        "../../scripts/neurons_evaluate.py"


rule neurons_figures:
    """Draw the figures of the branch."""
    input:
        **neurons_plan.step("spines"),
        **neurons_plan.folders,
        meshes=neurons_plan.files_of(study.neurons, "mesh"),
        fetched=neurons_plan.fetched_of(study.neurons),
        synapses="<results>/neurons/synapses.parquet",
        spines="<results>/neurons/spines.parquet",
        neurons="<results>/neurons/neurons.parquet",
        compared=branch(bool(neurons_plan.scored), then="<results>/neurons/compared.parquet", otherwise=[]),
        trained=branch(
            bool(neurons_plan.trained),
            then=["<results>/neurons/training_predicted.parquet", "<results>/neurons/training_importance.tsv"],
            otherwise=[],
        ),
    output:
        report(
            directory("<results>/neurons/figures"),
            patterns=["{name}.png"],
            caption="../report/figure.rst",
            category="Neurons",
        ),
    log:
        "<logs>/neurons_figures.log",
    conda:
        "../../envs/neurons.yaml"
    threads: 1
    resources:
        **asks("neurons_figures", neurons_plan.every_size),
        **neurons_plan.fetches,
    params:
        trained=[row.neuron for row in neurons_plan.trained],
        shown=12,
        inputs=neurons_plan.stamps_of(study.neurons, "mesh", "truth_labels"),
        aside=study.aside(
            rows=Told(study.neurons, ("mesh",)),
            truth={row.neuron: row.truth_labels for row in study.neurons if row.truth_labels},
            addresses=neurons_plan.addresses_of(study.neurons),
        ),
        code=script_hash("neurons_figures"),
    script:
        "../../scripts/neurons_figures.py"
