# What the census and the report are made of: the tables of the branches, and the samples whose truth is known.

# the final tables of the branches that have samples
spine_tables = {branch: f"<results>/{branch}/spines.parquet" for branch in branches if branch != "synapses"}
if "neurons" in branches:
    spine_tables["neuron_synapses"] = "<results>/neurons/synapses.parquet"


phantom_folder = Path(config["resources"]) / "phantom"


def simulated(path):
    """The name of the simulated specimen that a file belongs to, or None."""
    if not path or not Path(path).is_relative_to(phantom_folder):
        return None
    return Path(path).relative_to(phantom_folder).parts[0]


def find_simulated_views():
    """One row a sample that shows a simulated specimen on which no model of its branch was trained."""
    last = {row.specimen: row for row in stacks}
    rows = [("twophoton", row.specimen, row.path, row) for row in last.values()]
    rows += [("linking", row.volume, row.image or row.segmentation, row) for row in volumes]
    rows += [("chain", row.volume, row.image or row.segmentation, row) for row in volumes]
    rows += [("neurons", row.neuron, row.mesh, row) for row in neurons]
    trained = {view: config[view]["train"] for view in ("twophoton", "linking", "neurons")}
    trained["chain"] = [name for branch in ("synapses", "linking", "neurons") for name in config[branch]["train"]]
    return [
        {
            "view": view,
            "sample": name,
            "specimen": specimen,
            "path": path,
            "truth": str(phantom_folder / specimen / f"truth_spines.{'csv' if view == 'twophoton' else 'parquet'}"),
            "timepoint": getattr(row, "timepoint", None),
            "voxel_um": getattr(row, "voxel_um", None),
            "voxel_nm": getattr(row, "voxel_nm", None),
        }
        for view, name, path, row in rows
        if (specimen := simulated(path)) and name not in trained[view]
    ]


simulated_views = find_simulated_views()
# specimens on which a trained model is held against the truth
truth_specimens = sorted({row["specimen"] for row in simulated_views})
census_tables = {
    "spines": "<results>/spines.parquet",
    "matches": "<results>/census/matches.parquet",
    "failures": "<results>/failures.parquet",
    "completeness": "<results>/completeness.tsv",
}
if "neurons" in branches:
    census_tables["counts"] = "<results>/census/cells.parquet"
    census_tables["classes"] = "<results>/census/classes.parquet"
if linking_volumes:
    census_tables["agreement"] = "<results>/census/agreement.parquet"
if truth_specimens:
    census_tables["seen"] = "<results>/census/seen.parquet"
census_scores = ["<results>/census/evaluation.tsv"] if truth_specimens else []
# the meshes of linked segments and their labels, by volume
linked_meshes = expand("<results>/linking/meshes/{volume}", volume=linking_volumes)
linked_labels = expand("<results>/neurons/labelled/volume-{volume}.parquet", volume=linking_volumes)
agreement_figures = ["<results>/census/agreement_figures"] if linking_volumes else []
