# What the rules of the neurons branch are given: neurons by shard, their files, the samples to train on.
neuron_plan = {
    str(shard): names
    for shard, names in shards.plan([row.neuron for row in neurons], config["neurons"]["shards"]).items()
}
neuron_volume_shards = [f"volume-{volume}" for volume in linking_volumes]
neuron_shards = [*neuron_plan, *neuron_volume_shards]
neuron_trained = [row for row in neurons if row.neuron in config["neurons"]["train"]]
neuron_scored = [row for row in neurons if row.truth_labels and row not in neuron_trained]
neuron_failures = expand(
    "<results>/failures/neurons_{step}/{shard}.parquet",
    step=["simplify", "hks", "condense", "classify", "spines", "synapses"],
    shard=neuron_shards,
)
failure_tables += neuron_failures
# neurons of the sheet alone are written for other programs
failure_tables += expand("<results>/failures/neurons_exchange/{shard}.parquet", shard=neuron_plan)
neuron_features = (
    expand("<results>/neurons/features/{shard}.parquet", shard=neuron_plan)
    if config["neurons"]["features"]["storage"]
    else []
)
if neuron_features:
    failure_tables += expand("<results>/failures/neurons_features/{shard}.parquet", shard=neuron_plan)
# the options of the solver in use alone, so that those of the other make nothing run again
neuron_solver = {key: config["neurons"]["hks"][key] for key in ("solver", "mollify")}
neuron_solver |= config["neurons"]["hks"][neuron_solver["solver"]]
neuron_model = model_file("neurons", config["neurons"]["train"])
if neuron_shards:
    branches.append("neurons")
    finished_tables |= {
        f"neurons_{step}": expand(f"<results>/neurons/{folder}/{{shard}}.parquet", shard=neuron_shards)
        for step, folder in {
            **{step: step for step in ("simplify", "hks", "condense", "classify", "synapses")},
            "spines": "labelled",
        }.items()
    }
    finished_tables["neurons_exchange"] = expand("<results>/neurons/exchange/{shard}.parquet", shard=neuron_plan)
    if neuron_features:
        finished_tables["neurons_features"] = neuron_features


def neuron_rows(rows, *columns):
    """What the sheet says of neurons, by name: the columns that a step uses."""
    return {row.neuron: {column: getattr(row, column) for column in columns} for row in rows}


def neuron_members(shard):
    """The rows of the sheet in a shard; none for the neurons of a volume."""
    return [neuron_of[name] for name in neuron_plan.get(shard, [])]


def neuron_params(*columns):
    """A function of wildcards that gives the rows of a shard with these columns."""
    return lambda wildcards: neuron_rows(neuron_members(wildcards.shard), *columns)


def neuron_files(column):
    """A function of wildcards that gives the files of a column of a shard."""
    return lambda wildcards: neuron_sources(neuron_members(wildcards.shard), column)


def neuron_sources(rows, column):
    """The files of a column, without the name of a group inside of them."""
    return [getattr(row, column).partition("::")[0] for row in rows if getattr(row, column)]


def neuron_folder(wildcards):
    """The folder of meshes made from a volume; none for neurons of the sheet."""
    if wildcards.shard in neuron_volume_shards:
        return f"{config['results']}/linking/meshes/{wildcards.shard.removeprefix('volume-')}"
    return []


def neuron_shards_of(rows):
    """The shards that hold these rows."""
    names = {row.neuron for row in rows}
    return [shard for shard, members in neuron_plan.items() if names & set(members)]


def neuron_training():
    """The rows that the configuration names for training."""
    lacking = [row.neuron for row in neuron_trained if not row.truth_labels]
    unknown = set(config["neurons"]["train"]) - {row.neuron for row in neurons}
    if lacking or unknown:
        raise WorkflowError(
            f"neurons.train names {', '.join([*lacking, *sorted(unknown)])} without truth_labels in the sample sheet; "
            "fill the column, or train on others"
        )
    return neuron_trained
