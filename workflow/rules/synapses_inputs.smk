# What the rules of the synapses branch are given: volumes, their files, the samples to train on.
synapses_trained = config["synapses"]["train"]
synapses_kind = config["synapses"]["classify"]["kind"]
# the file of a model says of which kind it is
synapses_suffix = (
    Path(config["models"]["synapses"] or "").suffix or {"network": ".safetensors", "forest": ".skops"}[synapses_kind]
)
synapses_volumes = [row.volume for row in volumes if row.synapses or row.image]
# volumes whose synapses are found in the image; those of the others are given
synapses_detected = [row.volume for row in volumes if row.image and not row.synapses]
synapses_scored = [
    volume for volume in synapses_detected if volume not in synapses_trained and volume_of[volume].truth_synapses
]
# volumes whose mask is made by rules
synapses_masked = [row.volume for row in volumes if config["synapses"]["mask"]["make"] and row.image and not row.mask]
# tables of marked vesicles by volume, and the profile that is measured there, for forests alone
synapses_marked = config["synapses"]["classify"]["marked_vesicles"]
synapses_profile = ["<results>/synapses/vesicle_profile.tsv"] if synapses_marked and synapses_suffix == ".skops" else []
# the network that training begins with
synapses_start = (
    [model_file("synapses", [], synapses_suffix)]
    if synapses_suffix == ".safetensors" and config["synapses"]["classify"]["from_shipped"]
    else []
)
synapses_shards = [str(number) for number in range(config["synapses"]["shards"])]

if synapses_volumes:
    branches.append("synapses")
    failure_tables += expand(
        "<results>/failures/{step}/{volume}/{shard}.parquet",
        step=["synapses_detect", "synapses_density"],
        volume=synapses_volumes,
        shard=synapses_shards,
    )
    finished_tables |= {
        f"synapses_{step}": expand(
            "<results>/synapses/{step}/{volume}/{shard}.parquet",
            step=step,
            volume=synapses_volumes,
            shard=synapses_shards,
        )
        for step in ("detect", "density")
    }


def synapses_columns(volume, *columns):
    """Columns of a volume's row, with its voxel size."""
    return {column: getattr(volume_of[volume], column) for column in (*columns, "voxel_nm")}


def synapses_row(*columns):
    """A function of wildcards that gives columns of the volume's row, with its voxel size."""
    return lambda wildcards: synapses_columns(wildcards.volume, *columns)


def synapses_files(volume, *columns):
    """The files that columns of a volume's row name, without the names of data sets in them."""
    row = volume_of[volume]
    return sorted({file for column in columns if (file := file_of(getattr(row, column)))})


def synapses_training():
    """The rows of the training volumes; each needs an image and a truth."""
    rows = [row for row in volumes if row.volume in synapses_trained]
    unknown = sorted(set(synapses_trained) - {row.volume for row in rows if row.image and row.truth_synapses})
    if unknown:
        raise WorkflowError(
            f"synapses.train names {', '.join(unknown)}: a training volume is a row of the sample sheet `volumes` "
            "with image and truth_synapses"
        )
    return rows


def synapses_memory(bytes_per_voxel):
    """Memory in MB for one cuboid with a halo of 10 sections and 70 pixels, and for the program itself."""
    depth, height, width = config["synapses"]["cuboid"]
    padded = (depth + 20) * (height + 140) * (width + 140)
    return lambda wildcards, attempt: int(800 + padded * bytes_per_voxel / 1e6) * attempt
