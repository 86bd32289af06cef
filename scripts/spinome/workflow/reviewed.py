"""What `spinome review` does with a study: where its results are, its answers, and tables of answers in and out."""

from __future__ import annotations

import asyncio
import tempfile
import webbrowser
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from spinome.io.atomic import nearest_existing
from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table, write_table
from spinome.mesh.surface import Mesh
from spinome.neurons.spines import PAIR_PLACES, read_decisions
from spinome.retrieve.mesh import fetch_mesh
from spinome.review.answers import Answers, agreed, standing
from spinome.review.catalogue import Catalogue, Sources
from spinome.review.exchange import (
    POINT_COLUMNS,
    SEGMENT_TYPE_COLUMNS,
    corrections_of,
    decisions_of,
    from_corrections,
    from_decisions,
    from_labels,
    from_segment_types,
    from_spine_decisions,
    labels_of,
    segment_types_of,
    spine_decisions_of,
)
from spinome.seeds import number_of
from spinome.twophoton.corrections import CORRECTION_COLUMNS
from spinome.workflow.plans.linking import LinkingPlan
from spinome.workflow.plans.synapses import SynapsesPlan
from spinome.workflow.plans.twophoton import TwophotonPlan, stack_name
from spinome.workflow.samples import read_corrections
from spinome.workflow.study import Study

# ports that systems give to nobody by themselves
FIRST_PORT, PORTS = 20_000, 10_000
EXTRA = "spinome review needs the package tornado; install it: pip install 'spinome[review]' (or pip install tornado)"
NOTHING = "{folder}: no results of this study yet; run it first, or leave this page open while it runs"


def sources_of(study: Study) -> Sources:
    """Where the results and the images of a study are."""
    results = Path(study.results)
    synapses, twophoton = SynapsesPlan(study), TwophotonPlan(study)
    linking = LinkingPlan(study, synapses)
    computed = set(linking.computed)
    segments = {
        row.volume: str(results / "linking" / "segments" / f"{row.volume}.zarr")
        if row.volume in computed
        else row.segmentation
        for row in study.volumes
        if row.volume in linking.volumes
    }
    return Sources(
        results,
        {series: [stack_name(row) for row in rows] for series, rows in twophoton.by_series.items()},
        {row.volume: row.image for row in study.volumes if row.image},
        {volume: source for volume, source in segments.items() if source},
        {volume: str(results / "synapses" / "labels" / f"{volume}.zarr") for volume in synapses.detected},
        {row.volume: row.voxel_nm for row in study.volumes},
        {row.neuron: row.mesh for row in study.neurons},
        study.config["neurons"]["spines"]["rise_nm"],
        reader_of(study),
    )


def reader_of(study: Study) -> Callable[[str], Mesh]:
    """What reads the mesh of a neuron of the sheet; one that did not stay is fetched to be looked at."""
    addresses = {study.neuron_of[name].mesh: address for name, address in study.mesh_addresses.items()}

    def read(path: str) -> Mesh:
        if path not in addresses or Path(path).exists():
            return read_mesh(path)
        with tempfile.TemporaryDirectory() as folder:
            fetch_mesh(addresses[path], study.config["retrieve"]["base_url"], file := Path(folder, "mesh.npz"))
            return read_mesh(str(file))

    return read


def review(study: Study, port: int, open_browser: bool) -> None:
    """Serve the page of a study until it is interrupted.

    Raises
    ------
    ValueError: if the package of the server is not installed.
    """
    try:
        from spinome.review.server import Review, serve
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "tornado":
            raise ValueError(EXTRA) from None
        raise
    if not Path(study.results).is_dir():
        print(NOTHING.format(folder=study.results), flush=True)
    answers = Answers(study.config["review"]["answers"])
    answers.join()

    def say(address: str) -> None:
        print(f"Answers go to {answers.folder}. Open {address}", flush=True)
        if open_browser:
            webbrowser.open(address)

    page = Review(Catalogue(sources_of(study)), answers, study.config["seed"])
    # the same address each time, so that the browser finds the answers that an earlier server did not take
    usual = FIRST_PORT + number_of(str(answers.folder.absolute()), PORTS)
    try:
        try:
            asyncio.run(serve(page, port or usual, say))
        except OSError:
            if port:
                raise
            asyncio.run(serve(page, 0, say))
    except KeyboardInterrupt:
        print(f"{len(standing(answers.read()))} answers are in {answers.folder}", flush=True)


def export(study: Study, folder: str | Path) -> list[str]:
    """Write the answers that people agree on as the tables that a run takes; returns what to say of them."""
    folder = Path(folder)
    if not (existing := nearest_existing(folder)).is_dir():
        raise ValueError(f"{existing}: is a file where a folder is needed; choose another by --export")
    sources = sources_of(study)
    catalogue = Catalogue(sources)
    rows, disputed = agreed(standing(Answers(study.config["review"]["answers"]).read()))
    # where the mark of a patch was shown is known by the mesh alone
    lost = (rows["kind"] == "patch") & ~rows["unit"].isin(list(sources.meshes))
    rows = rows[~lost].reset_index(drop=True)
    corrections = corrections_of(rows, catalogue.questions())
    decisions, gone = decisions_of(rows, catalogue.label_at)
    said = []
    if len(corrections):
        write_table(corrections, folder / "corrections.tsv")
        said.append(f"{len(corrections)} corrections; twophoton.track.corrections: {folder / 'corrections.tsv'}")
    if len(decisions):
        write_table(decisions, folder / "decisions.tsv")
        said.append(f"{len(decisions)} decisions; linking.proofread.decisions: {folder / 'decisions.tsv'}")
    types, without = segment_types_of(rows, catalogue.label_at)
    gone += without
    for volume, table in types.items():
        file = folder / "truth_types" / f"{volume}.tsv"
        write_table(table, file)
        said.append(f"{len(table)} types of segments of {volume}; column truth_types of the sheet: {file}")
    pairs = spine_decisions_of(rows)
    if len(pairs):
        write_table(pairs, folder / "spine_decisions.tsv")
        said.append(f"{len(pairs)} pairs of places; neurons.spines.decisions: {folder / 'spine_decisions.tsv'}")
    for neuron, points in labels_of(rows, catalogue.on_surface).items():
        write_table(points, folder / "truth_labels" / f"{neuron}.tsv")
        file = folder / "truth_labels" / f"{neuron}.tsv"
        said.append(f"{len(points)} labelled places of {neuron}; column truth_labels of the sheet: {file}")
    if disputed:
        said.append(f"{disputed} things that people disagree about are left out")
    if lost.any():
        said.append(f"{lost.sum()} labelled patches are left out: the sheet has their neurons no more")
    if gone:
        said.append(
            f"{gone} answers are left out: their place has no segment any more, or another answer says otherwise of it"
        )
    return said or ["no answers yet that a run takes"]


def import_table(study: Study, table: str | Path, who: str, neuron: str | None = None) -> int:
    """Take a table of corrections, decisions, types of segments or labelled places as answers; returns how many.

    Raises
    ------
    ValueError: if the table is none of these, or names what the study has not; the message names it.
    """
    frame = read_table(table)
    if set(CORRECTION_COLUMNS) <= set(frame.columns):
        rows = read_corrections(table, study.stacks)
        answers = from_corrections(pd.DataFrame([asdict(row) for row in rows], columns=CORRECTION_COLUMNS), who)
    elif {"volume", "orphan", "shaft"} <= set(frame.columns):
        exact = read_table(table, integers=["orphan", "shaft"])
        try:
            answers = from_decisions(exact, Catalogue(sources_of(study)).segments(), who)
        except ValueError as error:
            raise ValueError(f"{table}: {error}") from None
    elif set(SEGMENT_TYPE_COLUMNS) <= set(frame.columns):
        exact = read_table(table, integers=["segment"])
        try:
            answers = from_segment_types(exact, Catalogue(sources_of(study)).segments(), who)
        except ValueError as error:
            raise ValueError(f"{table}: {error}") from None
    elif {"neuron", *PAIR_PLACES, "decision"} <= set(frame.columns):
        answers = from_spine_decisions(read_decisions(table, list(study.neuron_of)), who)
    elif set(POINT_COLUMNS) <= set(frame.columns):
        known = {row.neuron for row in study.neurons}
        if neuron not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ValueError(f"{table}: say by --neuron whose synapses these are; the study has {names}")
        answers = from_labels(frame, str(neuron), who)
    else:
        kinds = f"corrections ({' '.join(CORRECTION_COLUMNS[:4])} ...), of decisions (volume orphan shaft; "
        kinds += "neuron z_nm y_nm x_nm next_z_nm next_y_nm next_x_nm decision), of types (volume segment type)"
        there = ", ".join(map(str, frame.columns))
        raise ValueError(
            f"{table}: is no table of {kinds} or of labelled points ({' '.join(POINT_COLUMNS)}); it has {there}"
        )
    Answers(study.config["review"]["answers"]).append_all(answers)
    return len(answers)
