# What the rules of the linking branch are given: volumes, their files, the samples to train on.
linking_trained = config["linking"]["train"]
linking_volumes = [row.volume for row in volumes if row.segmentation or row.image or row.membrane]
linking_computed = [row.volume for row in volumes if not row.segmentation]
linking_shards = [str(number) for number in range(config["linking"]["shards"])]
# volumes that have synapses: given, or found in the image by the synapses branch
linking_with_synapses = [
    row.volume for row in volumes if row.synapses or (row.image and config["linking"]["find_synapses"])
]
# of these, those whose synapses are found here, and may have gaps
linking_with_found_synapses = [
    row.volume
    for row in volumes
    if row.volume in linking_volumes and row.volume in linking_with_synapses and not row.synapses
]
linking_scored = [
    row.volume for row in volumes if row.volume not in linking_trained and (row.truth_segmentation or row.truth_links)
]
linking_dense = [
    volume for volume in linking_scored if volume in linking_computed and volume_of[volume].truth_segmentation
]
linking_true_graphs = [
    volume for volume in linking_scored if volume in linking_with_synapses and volume_of[volume].truth_synapses
]
# what each model learns from: superpixels and membranes from a dense truth, links from given links
linking_dense_teachers = [
    row.volume
    for row in volumes
    if row.volume in linking_trained and row.volume in linking_computed and row.truth_segmentation
]
linking_link_teachers = [row.volume for row in volumes if row.volume in linking_trained and row.truth_links]
linking_true_links = [row.volume for row in volumes if row.truth_links or row.truth_segmentation]

linking_unknown = set(config["linking"]["detach"]["volumes"]) - {row.volume for row in volumes if row.segmentation}
if linking_unknown:
    raise WorkflowError(
        f"linking.detach.volumes names {', '.join(sorted(linking_unknown))}, which is no volume with a segmentation in the "
        "sample sheet; add it, or take it out"
    )

if linking_volumes:
    branches.append("linking")
    failure_tables += expand(
        "<results>/failures/linking_candidates/{volume}/{shard}.parquet",
        volume=linking_volumes,
        shard=linking_shards,
    )
    failure_tables += expand(
        "<results>/failures/linking_basins/{volume}/{shard}.parquet", volume=linking_computed, shard=linking_shards
    )
    failure_tables += expand(
        "<results>/failures/linking_membranes/{volume}/{shard}.parquet",
        volume=[row.volume for row in volumes if row.volume in linking_computed and not row.membrane],
        shard=linking_shards,
    )
    finished_tables |= {
        "linking_candidates": expand(
            "<results>/linking/candidates/{volume}/{shard}.parquet", volume=linking_volumes, shard=linking_shards
        ),
        "linking_basins": expand(
            "<results>/linking/basins/{volume}/{shard}.parquet", volume=linking_computed, shard=linking_shards
        ),
        "linking_membranes": expand(
            "<results>/linking/membrane_cuboids/{volume}/{shard}.parquet",
            volume=[row.volume for row in volumes if row.volume in linking_computed and not row.membrane],
            shard=linking_shards,
        ),
    }


def linking_column(column):
    """A function of wildcards that gives a column of the volume's row."""
    return lambda wildcards: getattr(volume_of[wildcards.volume], column)


def linking_file(column):
    """A function of wildcards that gives the file of a column of the volume's row."""
    return lambda wildcards: file_of(getattr(volume_of[wildcards.volume], column))


def linking_membrane(volume):
    """Where the membranes of a volume are: given, predicted, or nowhere."""
    row = volume_of[volume]
    return row.membrane or (f"{config['results']}/linking/membranes/{volume}.zarr" if row.image else None)


def linking_path_membrane(volume):
    """Membranes that links may use: those of a given segmentation only if they are given too."""
    row = volume_of[volume]
    return linking_membrane(volume) if row.membrane or volume in linking_computed else None


def linking_segmentation(volume):
    """Where the segments of a volume are: given, or computed here."""
    return volume_of[volume].segmentation or f"{config['results']}/linking/segments/{volume}.zarr"


def linking_synapse_source(volume):
    """The volume of labelled synapses: given, or found by the synapses branch."""
    row = volume_of[volume]
    return row.synapses or f"{config['results']}/synapses/labels/{volume}.zarr"


def linking_synapse_files(volume):
    """The files of these labels: given, or all that the synapses branch writes into its label volume."""
    if volume_of[volume].synapses:
        return file_of(volume_of[volume].synapses)
    counted = expand("<results>/synapses/density/{volume}/{shard}.parquet", volume=volume, shard=synapses_shards)
    return [linking_synapse_source(volume), *counted]


def linking_training(*columns):
    """Training volumes with a dense truth and one of these columns."""
    rows = [row for row in volumes if row.volume in linking_trained and row.truth_segmentation]
    chosen = [row.volume for row in rows if any(getattr(row, column) for column in columns)]
    if not chosen:
        raise WorkflowError(
            f"linking.train names no volume with truth_segmentation and {' or '.join(columns)}; fill these columns of "
            "the sample sheet for a training volume, or name a trained model under `models`"
        )
    return chosen


def linking_sources(of, column):
    """The files of a column of several volumes."""
    return [file_of(getattr(volume_of[volume], column)) for volume in of]
