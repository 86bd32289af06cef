# Real data that the workflow obtains itself. Downloads run where Snakemake runs, since nodes may have no network.
# The mirror that they come through counts for nothing, nor does the address of a file whose checksum is known.
from spinome.workflow.params import one_of


localrules:
    retrieve_archive,
    retrieve_file,
    retrieve_mesh,
    retrieve_record,


rule retrieve_archive:
    """Fetch a source archive from the package index that pip is configured with."""
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
    """Bring the two neurons of MeshParty's test data into meshes and tables of synapses."""
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
        **asks("retrieve_meshparty", of_files),
    params:
        code=script_hash("retrieve_meshparty"),
    script:
        "../../scripts/retrieve_meshparty.py"


rule retrieve_morph_spines:
    """Label the neuron of morph-spines-visualizer by the spines and the soma that come with it."""
    input:
        "<resources>/archives/morph_spines_visualizer-0.3.0.tar.gz",
    output:
        "<resources>/morph_spines/864691134900032266_labelled.npz",
    log:
        "<logs>/retrieve_morph_spines.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        **asks("retrieve_morph_spines", of_files),
    params:
        code=script_hash("retrieve_morph_spines"),
    script:
        "../../scripts/retrieve_morph_spines.py"


rule retrieve_neuron_hks:
    """Turn the colours of the published dendrite into labels."""
    input:
        "<resources>/public/neuron_hks_dendrite.gltf",
    output:
        "<resources>/neuron_hks/dendrite_labelled.npz",
    log:
        "<logs>/retrieve_neuron_hks.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        **asks("retrieve_neuron_hks", of_files),
    params:
        code=script_hash("retrieve_neuron_hks"),
    script:
        "../../scripts/retrieve_neuron_hks.py"


rule retrieve_neuroproof:
    """Bring a fly volume of neuroproof_examples, with the presynaptic bars marked in it, into volumes to train on."""
    input:
        sections="<resources>/neuroproof_examples/training_sample2/grayscale_maps",
        places=str(Path(workflow.current_basedir) / "../../config/training/neuroproof_ts2_synapses.tsv"),
    output:
        directory(expand("<resources>/neuroproof_bars/{view}.zarr", view=["z30", "z50", "y30", "y50", "x30", "x50"])),
    log:
        "<logs>/retrieve_neuroproof.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        **asks("retrieve_neuroproof", of_files),
    params:
        code=script_hash("retrieve_neuroproof"),
    script:
        "../../scripts/retrieve_neuroproof.py"


rule retrieve_microns:
    """Bring hand labels of the MICrONS release, their synapses and a sheet of their neurons into tables."""
    input:
        labels="<resources>/public/microns_labels.csv.gz",
        labels_header="<resources>/public/microns_labels_header.csv",
        published="<resources>/public/microns_published.csv.gz",
        published_header="<resources>/public/microns_published_header.csv",
        synapses="<resources>/public/microns_synapses.csv.gz",
        synapses_header="<resources>/public/microns_synapses_header.csv",
    output:
        labels="<resources>/microns/labels.parquet",
        published="<resources>/microns/published.parquet",
        synapses="<resources>/microns/synapses.parquet",
        neurons="<resources>/microns/neurons.tsv",
        training="<resources>/microns/training.yaml",
    log:
        "<logs>/retrieve_microns.log",
    conda:
        "../../envs/retrieve.yaml"
    resources:
        **asks("retrieve_microns", of_files),
    params:
        code=script_hash("retrieve_microns"),
    script:
        "../../scripts/retrieve_microns.py"


rule retrieve_file:
    """Fetch a public file by its address."""
    output:
        "<resources>/public/{file}",
    log:
        "<logs>/retrieve_file/{file}.log",
    wildcard_constraints:
        file=one_of(study.public_files),
    conda:
        "../../envs/retrieve.yaml"
    params:
        checksum=lambda wildcards: study.public_files[wildcards.file]["checksum"],
        aside=lambda wildcards: study.aside(
            url=study.public_files[wildcards.file]["url"], base_url=config["retrieve"]["base_url"]
        ),
        code=script_hash("retrieve_file"),
    script:
        "../../scripts/retrieve_file.py"


rule retrieve_mesh:
    """Fetch the meshes of a shard's neurons from their public addresses."""
    output:
        done="<results>/retrieve/mesh/{shard}.parquet",
        failures="<results>/failures/retrieve_mesh/{shard}.parquet",
    log:
        "<logs>/retrieve_mesh/{shard}.log",
    conda:
        "../../envs/retrieve.yaml"
    params:
        each=lambda wildcards: neurons_plan.addresses(wildcards),
        aside=study.aside(base_url=config["retrieve"]["base_url"]),
        code=script_hash("retrieve_mesh"),
    script:
        "../../scripts/retrieve_mesh.py"


rule retrieve_record:
    """Fetch every file of a Zenodo record, each with its checksum."""
    output:
        directory("<resources>/public/{record}"),
    log:
        "<logs>/retrieve_record/{record}.log",
    wildcard_constraints:
        record=one_of(config["retrieve"]["records"]),
    conda:
        "../../envs/retrieve.yaml"
    params:
        url=lambda wildcards: config["retrieve"]["records"][wildcards.record]["url"],
        checksums=lambda wildcards: config["retrieve"]["records"][wildcards.record]["checksums"],
        aside=study.aside(base_url=config["retrieve"]["base_url"]),
        code=script_hash("retrieve_record"),
    script:
        "../../scripts/retrieve_record.py"
