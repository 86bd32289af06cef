# Simulated specimens with known truth: one geometry, rendered as mesh, EM cutout and two-photon sessions.
# All are made below <resources>/phantom/{specimen}; sample sheets name the files they want.
from spinome.workflow.plans.phantom import PhantomPlan

phantom_plan = planned(PhantomPlan, study)


rule phantom_specimen:
    """Draw a specimen with its dendrites, spines and synapses."""
    output:
        specimen="<resources>/phantom/{specimen}/specimen.npz",
        spines="<resources>/phantom/{specimen}/truth_spines.parquet",
        session_spines="<resources>/phantom/{specimen}/truth_spines.csv",
        session_dendrites="<resources>/phantom/{specimen}/truth_dendrites.csv",
    log:
        "<logs>/phantom_specimen/{specimen}.log",
    benchmark:
        "<benchmarks>/phantom_specimen/{specimen}.tsv"
    conda:
        "../../envs/phantom.yaml"
    threads: 1
    resources:
        **asks("phantom_specimen", phantom_plan.cutout_size),
    params:
        settings=phantom_plan.keys(
            "seed",
            "days",
            "slices",
            "field_px",
            "em_shape",
            "em_voxel_nm",
            "soma_radius_um",
            "spines_per_um",
            "passing_dendrites",
            "dendrite_scale",
            "spine_scale",
            "changing_spines",
            "filopodia",
        ),
        code=script_hash("phantom_specimen"),
    script:
        "../../scripts/phantom_specimen.py"


rule phantom_mesh:
    """Render the neuron of a specimen as a labelled mesh with its synapses."""
    input:
        specimen="<resources>/phantom/{specimen}/specimen.npz",
    output:
        mesh="<resources>/phantom/{specimen}/mesh.npz",
        synapses="<resources>/phantom/{specimen}/mesh_synapses.parquet",
    log:
        "<logs>/phantom_mesh/{specimen}.log",
    benchmark:
        "<benchmarks>/phantom_mesh/{specimen}.tsv"
    conda:
        "../../envs/phantom.yaml"
    threads: 1
    resources:
        **asks("phantom_mesh", phantom_plan.cutout_size),
    params:
        settings=phantom_plan.keys("mesh_grid_nm"),
        code=script_hash("phantom_mesh"),
    script:
        "../../scripts/phantom_mesh.py"


rule phantom_em:
    """Render the EM cutout of a specimen with all that is known about it."""
    input:
        specimen="<resources>/phantom/{specimen}/specimen.npz",
    output:
        volume=directory("<resources>/phantom/{specimen}/em.zarr"),
        links="<resources>/phantom/{specimen}/truth_links.parquet",
        synapses="<resources>/phantom/{specimen}/truth_synapses.parquet",
    log:
        "<logs>/phantom_em/{specimen}.log",
    benchmark:
        "<benchmarks>/phantom_em/{specimen}.tsv"
    conda:
        "../../envs/phantom.yaml"
    threads: 1
    resources:
        **asks("phantom_em", phantom_plan.cutout_size),
    params:
        settings=phantom_plan.keys("em_staining"),
        code=script_hash("phantom_em"),
    script:
        "../../scripts/phantom_em.py"


rule phantom_twophoton:
    """Render a two-photon session of a specimen."""
    input:
        specimen="<resources>/phantom/{specimen}/specimen.npz",
    output:
        stack="<resources>/phantom/{specimen}/session_{timepoint}.ome.tif",
    log:
        "<logs>/phantom_twophoton/{specimen}/{timepoint}.log",
    benchmark:
        "<benchmarks>/phantom_twophoton/{specimen}/{timepoint}.tsv"
    conda:
        "../../envs/phantom.yaml"
    threads: 1
    resources:
        **asks("phantom_twophoton", phantom_plan.session_size),
    params:
        code=script_hash("phantom_twophoton"),
    script:
        "../../scripts/phantom_twophoton.py"
