"""What configuration, sample sheets and the disk say against one another, told when the workflow is parsed.

No file is opened here, since every job parses the workflow anew; `spinome.workflow.preflight` opens the inputs when a
run starts.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spinome.names import plain_name, same_files
from spinome.workflow.samples import NeuronRow, StackRow, VolumeRow, is_produced

# kinds of tables that `spinome.io.tables` reads, which takes a second to load
TABLES = (".parquet", ".feather", ".csv", ".tsv")
# tables of a folder of field views (`spinome.twophoton.fields`, which takes as long)
FIELD_TABLES = ("boxes.csv", "outlines.csv")
# what the rules of simulated specimens make of one
SESSION = re.compile(r"session_(.*)\.ome\.tif")
SIMULATED = {
    "specimen.npz",
    "mesh.npz",
    "mesh_synapses.parquet",
    "em.zarr",
    "truth_spines.parquet",
    "truth_spines.csv",
    "truth_dendrites.csv",
    "truth_links.parquet",
    "truth_synapses.parquet",
}
MOST_LISTED, MOST_COMPARED = 8, 5000


def contradictions(
    config: Mapping[str, Any],
    stacks: Sequence[StackRow],
    volumes: Sequence[VolumeRow],
    neurons: Sequence[NeuronRow],
    files: Iterable[str],
) -> list[str]:
    """Names in the configuration that no sheet has, files that are not there, and results that would share a file.

    Parameters
    ----------
    config : complete
    stacks, volumes, neurons : rows of the sample sheets
    files : that these rows name, each once

    Returns
    -------
    one line a problem, naming the key, what is wrong and the remedy
    """
    return [
        *_unknown_samples(config, stacks, volumes, neurons),
        *_without_truth(config, stacks, volumes, neurons),
        *_absent_files(config),
        *_shared_names(config, volumes),
        *_absent_simulations(config, files),
    ]


def _unknown_samples(
    config: Mapping[str, Any], stacks: Sequence[StackRow], volumes: Sequence[VolumeRow], neurons: Sequence[NeuronRow]
) -> Iterator[str]:
    series, every = dict.fromkeys(row.series for row in stacks), [row.volume for row in volumes]
    twophoton, synapses, linking = config["twophoton"], config["synapses"], config["linking"]
    lists = [
        ("twophoton.train", twophoton["train"], series, "series `specimen.field` of the sheet `stacks`"),
        ("twophoton.train_judge", twophoton["train_judge"], series, "series `specimen.field` of the sheet `stacks`"),
        ("synapses.train", synapses["train"], every, "volume of the sheet `volumes`"),
        (
            "synapses.classify.marked_vesicles",
            synapses["classify"]["marked_vesicles"],
            [row.volume for row in volumes if row.image],
            "volume with an image of the sheet `volumes`",
        ),
        ("linking.train", linking["train"], every, "volume of the sheet `volumes`"),
        (
            "linking.detach.volumes",
            linking["detach"]["volumes"],
            [row.volume for row in volumes if row.segmentation],
            "volume with a segmentation of the sheet `volumes`",
        ),
        ("neurons.train", config["neurons"]["train"], [row.neuron for row in neurons], "neuron of the sheet `neurons`"),
    ]
    for key, names, known, what in lists:
        known = set(known)
        for name in names:
            if name not in known:
                yield f"{key}: names {name}, which is no {what}; {_hint(name, known)}"


def _without_truth(
    config: Mapping[str, Any], stacks: Sequence[StackRow], volumes: Sequence[VolumeRow], neurons: Sequence[NeuronRow]
) -> Iterator[str]:
    """Samples to train on that nothing can be learned from; where a model is given, none is trained."""
    models, trained = config["models"], {}
    for key, model in (("train", "detector"), ("train_judge", "judge")):
        trained[f"twophoton.{key}"] = [
            (f"{row.series}, whose timepoint {row.timepoint}", "truth_spines")
            for row in stacks
            if not models[model] and row.series in config["twophoton"][key] and not row.truth_spines
        ]
    trained["synapses.train"] = [
        (f"{row.volume}, which", "image and truth_synapses")
        for row in volumes
        if not models["synapses"]
        and row.volume in config["synapses"]["train"]
        and not (row.image and row.truth_synapses)
    ]
    trained["linking.train"] = [
        (f"{row.volume}, which", "truth_segmentation, truth_links or truth_types")
        for row in volumes
        if not all(models[name] for name in ("membranes", "agglomeration", "links", "typing"))
        and row.volume in config["linking"]["train"]
        and not (row.truth_segmentation or row.truth_links or row.truth_types)
    ]
    wanted = set(config["neurons"]["train"])
    trained["neurons.train"] = [
        (f"{row.neuron}, which", "truth_labels")
        for row in neurons
        if not models["neurons"] and row.neuron in wanted and not row.truth_labels
    ]
    for key, lacking in trained.items():
        for sample, columns in lacking:
            yield (
                f"{key}: names {sample} has no {columns} in the sample sheet; fill the columns, train on others, or "
                "name a trained model under `models`"
            )


def _absent_files(config: Mapping[str, Any]) -> Iterator[str]:
    produced = [config["results"], config["resources"]]
    twophoton, synapses = config["twophoton"], config["synapses"]
    # a model that is named by its address is fetched
    files = {f"models.{name}": path for name, path in config["models"].items() if isinstance(path, str)}
    files["twophoton.training.start"] = twophoton["training"]["start"]
    files["twophoton.track.corrections"] = twophoton["track"]["corrections"]
    tables = {
        "linking.proofread.decisions": config["linking"]["proofread"]["decisions"],
        **{
            f"synapses.classify.marked_vesicles.{name}": p
            for name, p in synapses["classify"]["marked_vesicles"].items()
        },
        **{f"synapses.uniformity.block_tables.{name}": p for name, p in synapses["uniformity"]["block_tables"].items()},
    }
    boxes, fields, review = twophoton["detect"]["boxes"], twophoton["training"]["fields"], config["review"]
    if review["learn"] and boxes and not config["samples"]["volumes"]:
        yield "review.learn: no judge of spines learns where twophoton.detect.boxes are given; leave out one of the two"
    asked = [f"compare.{name}.errors_of_review" for name, one in config["compare"].items() if one["errors_of_review"]]
    wants = [*(["review.learn"] if review["learn"] else []), *asked]
    if review["learn"] and asked:
        yield (
            f"{asked[0]}: the judge learns from these answers (review.learn), so that they do not tell its error; "
            "leave out one of the two"
        )
    if asked and twophoton["track"]["corrections"]:
        yield (
            f"{asked[0]}: spines are put right by twophoton.track.corrections, so that the answers tell the error of "
            "what was there before; leave out one of the two"
        )
    if wants and not os.path.isdir(review["answers"]):  # noqa: PTH112, as below
        yield (
            f"review.answers: {review['answers']}: no such folder of answers, looked up from {Path.cwd()}; answer "
            f"questions with `spinome review`, or set {wants[0]} to false"
        )
    pixels = twophoton["training"]["pixel_um"]
    if fields and len(pixels) not in (1, len(fields)):
        yield (
            f"twophoton.training.pixel_um: has {len(pixels)} pixels for {len(fields)} folders of field views; give one "
            "for all, or one for each in the order of twophoton.training.fields"
        )
    named = [*{**files, **tables, "twophoton.detect.boxes": boxes}.items()]
    for key, path in [*named, *(("twophoton.training.fields", folder) for folder in fields)]:
        if not path or is_produced(path, produced):
            continue
        if not os.path.exists(path):  # noqa: PTH110, `Path.exists` raises an error where a name is too long
            yield f"{key}: {path}: no such file, looked up from {Path.cwd()}"
        elif (key in files or key in tables) and not Path(path).is_file():
            yield f"{key}: {path}: is a folder, where a file is needed"
        elif key == "twophoton.training.fields" and not any(Path(path, name).is_file() for name in FIELD_TABLES):
            yield f"{key}: {path}: needs to be a folder with `images/` and {' or '.join(FIELD_TABLES)}"
        elif key in tables and not {*TABLES} & {suffix.lower() for suffix in Path(path).suffixes}:
            yield f"{key}: {path}: unknown kind of table; use one of {', '.join(TABLES)}"


def _shared_names(config: Mapping[str, Any], volumes: Sequence[VolumeRow]) -> Iterator[str]:
    """Names that are different, and results of theirs that would not be."""
    names = [row.volume for row in volumes]
    tables = list(config["synapses"]["uniformity"]["block_tables"])
    key = "synapses.uniformity.block_tables"
    for name in sorted({*tables} & {*names}):
        yield f"{key}: names {name}, which is a volume of the sheet, too; give the table another name"
    for volume, name in same_files([*names, *tables]):
        yield f"{key}: names {name}, which differs from the volume {volume} by case alone; give the table another name"
    for volume in config["linking"]["detach"]["volumes"]:
        try:
            plain_name(f"{volume}_detached")
        except ValueError as error:
            yield f"linking.detach.volumes: {volume}_detached, as the volume with cut spines is named, {error}"


def _absent_simulations(config: Mapping[str, Any], files: Iterable[str]) -> Iterator[str]:
    """Files of simulated specimens that a sheet asks for and that would not be made."""
    folder, specimens = f"{config['resources']}/phantom/", config["phantom"]["specimens"]
    for file in filter(lambda file: file.startswith(folder), files):
        name, _, made = file.removeprefix(folder).partition("/")
        session = SESSION.fullmatch(made)
        if name not in specimens and (session or made in SIMULATED):
            yield f"{file}: phantom.specimens has no {name}; {_hint(name, specimens)}"
        elif session:
            known = [str(number) for number in range(len(specimens[name]["days"]))]
            if session[1] not in known:
                yield (
                    f"{file}: no such session of the simulated specimen {name}, whose days make the sessions "
                    f"{', '.join(known)}; add a day to phantom.specimens.{name}.days, or take the row out of the sheet"
                )


def _hint(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    # of many thousands the nearest takes seconds to find
    if close := difflib.get_close_matches(name, known[:MOST_COMPARED], n=1):
        return f"did you mean '{close[0]}'?"
    listed = ", ".join(known[:MOST_LISTED]) or "none"
    more = f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else ""
    return f"there {'are' if len(known) > 1 else 'is'} {listed}{more}; add it there, or take it out here"
