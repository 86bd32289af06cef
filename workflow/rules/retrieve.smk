import re


# Real data that the workflow obtains itself. Downloads run where Snakemake runs, since nodes may have no network.
localrules:
    retrieve_archive,
    retrieve_file,
    retrieve_mesh,
    retrieve_record,


rule retrieve_archive:
    output:
        "<resources>/archives/{archive}.tar.gz",
    log:
        "<logs>/retrieve_archive/{archive}.log",
    conda:
        "../../envs/retrieve.yaml"
    params:
        code=script_hash("retrieve_archive"),
    script:
        "../../scripts/retrieve_archive.py"


rule retrieve_meshparty:
    input:
        "<resources>/archives/meshparty-2.0.3.tar.gz",
    output:
        mesh="<resources>/meshparty/648518346349539862_mesh.npz",
        synapses="<resources>/meshparty/648518346349539862_synapses.parquet",
        big_mesh="<resources>/meshparty/648518346349499581_mesh.npz",
        big_synapses="<resources>/meshparty/648518346349499581_synapses.parquet",
    log:
        "<logs>/retrieve_meshparty.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=10,
    params:
        code=script_hash("retrieve_meshparty"),
    script:
        "../../scripts/retrieve_meshparty.py"


rule retrieve_morph_spines:
    input:
        "<resources>/archives/morph_spines_visualizer-0.3.0.tar.gz",
    output:
        "<resources>/morph_spines/864691134900032266_labelled.npz",
    log:
        "<logs>/retrieve_morph_spines.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=10,
    params:
        code=script_hash("retrieve_morph_spines"),
    script:
        "../../scripts/retrieve_morph_spines.py"


rule retrieve_neuron_hks:
    input:
        "<resources>/public/neuron_hks_dendrite.gltf",
    output:
        "<resources>/neuron_hks/dendrite_labelled.npz",
    log:
        "<logs>/retrieve_neuron_hks.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=10,
    params:
        code=script_hash("retrieve_neuron_hks"),
    script:
        "../../scripts/retrieve_neuron_hks.py"


rule retrieve_file:
    output:
        "<resources>/public/{file}",
    log:
        "<logs>/retrieve_file/{file}.log",
    wildcard_constraints:
        file="|".join(map(re.escape, config["retrieve"]["files"])) or "(?!)",
    conda:
        "../../envs/retrieve.yaml"
    params:
        source=lambda wildcards: config["retrieve"]["files"][wildcards.file],
        base_url=config["retrieve"]["base_url"],
        code=script_hash("retrieve_file"),
    script:
        "../../scripts/retrieve_file.py"


rule retrieve_mesh:
    output:
        "<resources>/meshes/{neuron}.npz",
    log:
        "<logs>/retrieve_mesh/{neuron}.log",
    wildcard_constraints:
        neuron="|".join(map(re.escape, mesh_addresses)) or "(?!)",
    conda:
        "../../envs/retrieve.yaml"
    params:
        address=lambda wildcards: mesh_addresses[wildcards.neuron],
        base_url=config["retrieve"]["base_url"],
        code=script_hash("retrieve_mesh"),
    script:
        "../../scripts/retrieve_mesh.py"


rule retrieve_record:
    output:
        directory("<resources>/public/{record}"),
    log:
        "<logs>/retrieve_record/{record}.log",
    wildcard_constraints:
        record="|".join(map(re.escape, config["retrieve"]["records"])) or "(?!)",
    conda:
        "../../envs/retrieve.yaml"
    params:
        record=lambda wildcards: config["retrieve"]["records"][wildcards.record],
        base_url=config["retrieve"]["base_url"],
        code=script_hash("retrieve_record"),
    script:
        "../../scripts/retrieve_record.py"
