"""The questions about a run that may still be going on, each with its pictures and the answers that it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spinome.columns import POSITION
from spinome.hashing import content_hash, file_hash
from spinome.io.datasets import read_rows
from spinome.io.meshes import read_mesh
from spinome.io.tables import read_table, table_columns
from spinome.io.units import VoxelSize
from spinome.io.volumes import EM, STACK, Volume, label_at, open_labels, open_volume, require_voxel_size
from spinome.linking.measure import INSIDE
from spinome.mesh.surface import Mesh
from spinome.neurons.instances import RISE_NM
from spinome.review import questions as asking
from spinome.review.answers import ANSWERS, NEXT, UNSURE
from spinome.review.pictures import CANDIDATE_COLOURS, OUTLINE, View, labels_view, mesh_views, slices_view
from spinome.review.scenes import Block, Scene, block_of, coarse, surface_around

# sides of squares in um and pixels, and slices before and after the middle one
SPINE_UM, SPINE_PX, SPINE_SLICES = 7.0, 300, 6
AROUND_UM, AROUND_PX = 20.0, 300
FRAME_UM, FRAME_PX, FRAME_SLICES = 5.0, 120, 1
TRACK_UM, TRACK_PX, TRACK_SLICES = 5.0, 200, 3
SYNAPSE_UM, SYNAPSE_PX, SYNAPSE_SLICES = 1.6, 380, 6
LINK_UM, LINK_PX, LINK_SLICES = 3.0, 380, 8
SEGMENT_UM, SEGMENT_PX, SEGMENT_SLICES = 5.0, 380, 8
# kinds that have a movable view, and the box that it shows
MOVABLE = ("synapse", "link", "segment", "label", "patch", "one spine")
SYNAPSE_BOX_UM, LINK_BOX_UM, SEGMENT_BOX_UM = 2.5, 5.0, 10.0
# a spine moves between sessions as so many of its nearest neighbours do, in the median
NEIGHBOURS = 5
TEXTS = {
    "spine": "Is this a spine?",
    "same spine": "Are these the same spine?",
    "track": "Is this one spine in all sessions?",
    "synapse": "Is this a synapse?",
    "link": "Which shaft does the white orphan belong to?",
    "segment": "What is this segment?",
    "label": "What does this synapse lie on?",
    "patch": "What is the surface at the mark?",
    "one spine": "Are the two marks on one spine or on two?",
}
WORDS = {
    "spine": "spine",
    "no spine": "no spine",
    "same": "the same",
    "different": "different",
    "synapse": "synapse",
    "no synapse": "no synapse",
    "none of them": "none of them",
    "no orphan": "no orphan",
    "shaft": "shaft",
    "soma": "soma",
    "axon": "axon",
    "glia": "glia",
    "other": "something else",
    "one": "one spine",
    "two": "two spines",
    UNSURE: "not sure",
}


@dataclass(frozen=True)
class Sources:
    """Where the results of a run and its images are.

    Attributes
    ----------
    results : folder of the results
    series : stacks `specimen.field.timepoint` of each series `specimen.field`, in the order of their days
    images, segmentations, synapses : source of the grey values, segments and detected synapses of each volume that has
        them
    voxels : size of a voxel (z, y, x) in nm of each volume whose file does not say it
    meshes : mesh of each neuron
    rise_nm : how far two heads of a neuron must rise to be two spines
    read_mesh : reads the mesh of a neuron, wherever it is
    """

    results: Path
    series: Mapping[str, Sequence[str]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    segmentations: Mapping[str, str] = field(default_factory=dict)
    synapses: Mapping[str, str] = field(default_factory=dict)
    voxels: Mapping[str, VoxelSize | None] = field(default_factory=dict)
    meshes: Mapping[str, str] = field(default_factory=dict)
    rise_nm: float = RISE_NM
    read_mesh: Callable[[str], Mesh] = read_mesh

    def stack(self, unit: str) -> str:
        """The registered stack of a unit."""
        return str(self.results / "twophoton" / "register" / f"{unit}.zarr")


# makes questions of a table and what tells it from others
Maker = Callable[[pd.DataFrame, str], pd.DataFrame]


@dataclass
class _Table:
    """A table of the results as it was last read, with what tells its states from each other."""

    state: tuple[Any, ...] = ()
    questions: pd.DataFrame = field(default_factory=asking.no_questions)
    fault: str = ""


class Catalogue:
    """Questions and pictures of a run. A table that is made anew is read anew; safe to use from several threads."""

    def __init__(self, sources: Sources):
        self.sources = sources
        self._tables: dict[str, _Table] = {}
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._joined: tuple[Any, pd.DataFrame, dict[str, int]] | None = None
        self._frame = lru_cache(maxsize=8)(lambda path, state: read_table(path))
        self._open = lru_cache(maxsize=16)(self._opened)
        # questions by lot go from neuron to neuron
        self._mesh = lru_cache(maxsize=4)(lambda path, state: sources.read_mesh(path))
        self._coarse = lru_cache(maxsize=4)(self._made_coarse)

    def questions(self) -> pd.DataFrame:
        """All questions, with `id`; the same table as long as the results are the same."""
        with self._lock:
            results = self.sources.results
            makers: dict[Path, Maker] = {}
            for series in self.sources.series:
                makers[results / "twophoton" / "judge" / f"{series}.parquet"] = asking.spine_questions
                makers[results / "twophoton" / "review" / f"{series}.tsv"] = asking.lost_questions
            makers[results / "twophoton" / "links.parquet"] = self._link_questions
            makers[results / "synapses" / "objects.parquet"] = self._synapse_questions
            for volume in self.sources.synapses:
                dropped = partial(_dropped_questions, volume)
                makers[results / "synapses" / "candidates" / f"{volume}.parquet"] = dropped
            makers[results / "linking" / "queue.tsv"] = asking.link_questions
            for volume in self.sources.segmentations:
                makers[self._typing(volume)] = partial(_segment_questions, volume)
            makers[results / "neurons" / "synapses.parquet"] = self._label_questions
            makers[results / "neurons" / "spines.parquet"] = self._patch_questions
            makers[results / "neurons" / "pairs.parquet"] = self._pair_questions
            for path, maker in makers.items():
                state = _state(path)
                known = self._tables.get(str(path))
                if known is None or state != known.state:
                    self._tables[str(path)] = self._asked_of(path, state, maker)
            states = tuple(table.state for table in self._tables.values())
            if self._joined is None or self._joined[0] != states:
                filled = [table.questions for table in self._tables.values() if len(table.questions)]
                every = pd.concat(filled, ignore_index=True) if filled else asking.no_questions()
                places = every[[*POSITION, *NEXT]].round(4).to_numpy().tolist()
                names = every[["kind", "unit", "next_unit"]].to_numpy(object).tolist()
                ids = [content_hash(name, [str(value) for value in place]) for name, place in zip(names, places)]
                every = every.assign(id=ids).drop_duplicates("id", ignore_index=True)
                self._joined = (states, every, dict(zip(every["id"], range(len(every)))))
            return self._joined[1]

    def faults(self) -> list[str]:
        """What is wrong with tables of the results that nothing can be asked about."""
        self.questions()
        return [table.fault for table in self._tables.values() if table.fault]

    def _asked_of(self, path: Path, state: tuple[Any, ...], maker: Maker) -> _Table:
        try:
            frame = self._read_queue(path) if path.name == "queue.tsv" else _read_asked(path) if state else None
            made = maker(frame, file_hash(path)) if frame is not None and len(frame) else asking.no_questions()
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            # of the other tables there is still much to ask
            lacks = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            advice = "another version of the program made it, or it is damaged; run the study again"
            return _Table(state, fault=f"{path}: is not asked about ({lacks}); {advice}")
        return _Table(state, made)

    def row(self, name: str) -> int | None:
        """The row of a question by its id; None where the run has no such question any more."""
        self.questions()
        assert self._joined is not None
        return self._joined[2].get(name)

    def _asked(self, name: str) -> pd.Series:
        every, place = self.questions(), self.row(name)
        if place is None:
            raise KeyError(name)
        return every.iloc[place]

    def question(self, name: str) -> dict[str, Any]:
        """A question as plain values: text, pictures, answers, and the row that an answer to it makes.

        Raises
        ------
        KeyError: if the run has no such question.
        """
        row = self._asked(name)
        views, answers = self._shown(row)
        now = next((n for n, answer in enumerate(answers) if _is_now(answer, row)), None)
        return {
            "id": name,
            "kind": row["kind"],
            "text": TEXTS[row["kind"]],
            "unit": row["unit"],
            "context": self._context(row),
            "answers": answers,
            "now": now,
            "movable": row["kind"] in MOVABLE,
            "views": [view.plain() for view in views],
            "row": _plain(row),
        }

    def scene(self, name: str) -> Scene | None:
        """What a movable view of a question shows; None of a question about stacks, whose slices are all there is.

        Raises
        ------
        KeyError: if the run has no such question.
        """
        row = self._asked(name)
        kind, unit, here = row["kind"], row["unit"], row[POSITION].to_numpy(float)
        if kind == "synapse":
            # a candidate that the run drops has no number
            own = [] if pd.isna(row["subject"]) else [int(row["subject"])]
            return self._block(self.sources.synapses[unit], unit, here, SYNAPSE_BOX_UM, own)
        if kind == "link":
            own = [int(one["chosen"]) for one in self._candidates(row)]
            return self._block(self.sources.segmentations[unit], unit, here, LINK_BOX_UM, own, int(row["subject"]))
        if kind == "segment":
            own = [int(row["subject"])]
            return self._block(self.sources.segmentations[unit], unit, here, SEGMENT_BOX_UM, own)
        if kind in ("label", "patch", "one spine"):
            mesh, path = self._mesh_of(unit), self.sources.meshes[unit]
            marks = self._marks(row)
            shape = np.asarray(mesh.vertices), np.asarray(mesh.faces), marks.mean(axis=0)
            return surface_around(*shape, lambda: self._coarse(path, _state(Path(path))), marks)
        return None

    def on_surface(self, neuron: str, place_um: np.ndarray) -> np.ndarray:
        """The vertex of a neuron's mesh that is nearest to a place."""
        vertices = np.asarray(self._mesh_of(neuron).vertices)
        apart = ((vertices - place_um[::-1] * 1000) ** 2).sum(axis=1)
        return vertices[apart.argmin()][::-1] / 1000

    def depth_at(self, unit: str, place_um: np.ndarray) -> float:
        """Depth of the brightest slice near a place of a stack, for a click into a projection."""
        volume = self._volume(self.sources.stack(unit))
        voxel_um = np.array(require_voxel_size(volume)) / 1000
        z, y, x = np.rint(place_um / voxel_um).astype(int)
        low, high = max(z - SPINE_SLICES, 0), min(z + SPINE_SLICES + 1, volume.shape[0])
        column = volume[low:high, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        if not column.size:
            return float(place_um[0])
        return float((low + column.mean(axis=(1, 2)).argmax()) * voxel_um[0])

    def label_at(self, volume: str, place_um: np.ndarray) -> int:
        """The segment at a place of a volume; 0 where there is none, or no such volume."""
        if volume not in self.sources.segmentations:
            return 0
        return label_at(self._labels(self.sources.segmentations[volume], volume)[0], place_um)

    def segments(self) -> dict[str, pd.DataFrame]:
        """Segments of each volume with a place within each, where they were measured."""
        paths = {name: self._typing(name) for name in self.sources.segmentations}
        return {name: self._read(path) for name, path in paths.items() if path.exists()}

    def _link_questions(self, links: pd.DataFrame, provenance: str) -> pd.DataFrame:
        spines = self._read(self._spines)
        made = [asking.track_questions, asking.whole_track_questions]
        return pd.concat([maker(spines, links, provenance) for maker in made], ignore_index=True)

    @property
    def _spines(self) -> Path:
        return self.sources.results / "twophoton" / "spines.parquet"

    def _synapse_questions(self, objects: pd.DataFrame, provenance: str) -> pd.DataFrame:
        return asking.synapse_questions(objects[objects["volume"].isin(list(self.sources.synapses))], provenance)

    def _label_questions(self, synapses: pd.DataFrame, provenance: str) -> pd.DataFrame:
        # neurons made from a volume have no mesh of their own in the sheet
        return asking.label_questions(synapses[synapses["neuron"].isin(list(self.sources.meshes))], provenance)

    def _patch_questions(self, spines: pd.DataFrame, provenance: str) -> pd.DataFrame:
        return asking.patch_questions(spines[spines["neuron"].isin(list(self.sources.meshes))], provenance)

    def _pair_questions(self, pairs: pd.DataFrame, provenance: str) -> pd.DataFrame:
        known = pairs[pairs["neuron"].isin(list(self.sources.meshes))]
        return asking.pair_questions(known, self.sources.rise_nm, provenance)

    def _marks(self, row: pd.Series) -> np.ndarray:
        """The places (M, 3) z y x in nm that a question about a neuron marks."""
        place = row[POSITION].to_numpy(float)
        place = self.on_surface(row["unit"], place) if row["kind"] == "patch" else place
        both = [place, row[NEXT].to_numpy(float)] if row["kind"] == "one spine" else [place]
        return np.array(both) * 1000

    def _read_queue(self, path: Path) -> pd.DataFrame | None:
        if not path.exists():
            return None
        queue = read_table(path, integers=["orphan", "linked_to"])
        # a column of single numbers, some of them empty, is read as floats
        names = queue["candidates"].astype("Int64") if queue["candidates"].dtype.kind == "f" else queue["candidates"]
        return queue.assign(candidates=names.astype("string").fillna(""))

    def _read(self, path: Path) -> pd.DataFrame:
        return self._frame(str(path), _state(path))

    def _typing(self, volume: str) -> Path:
        return self.sources.results / "linking" / "typing" / f"{volume}.parquet"

    def _opened(self, source: str, labels: bool, voxel_nm: VoxelSize | None, state: tuple[Any, ...]) -> Volume:
        return open_labels(source, voxel_nm) if labels else open_volume(source, voxel_nm)

    def _volume(self, source: str, voxel_nm: VoxelSize | None = None) -> Volume:
        return self._open(source, False, voxel_nm, _state(Path(source)))

    def _labels(self, source: str, volume: str) -> tuple[Volume, VoxelSize]:
        labels = self._open(source, True, self.sources.voxels.get(volume), _state(Path(source)))
        return labels, require_voxel_size(labels)

    def _shown(self, row: pd.Series) -> tuple[list[View], list[dict[str, Any]]]:
        kind = row["kind"]
        if kind == "track":
            return self._whole_track(row)
        answers = [_answer(answer, WORDS[answer]) for answer in ANSWERS[kind] if answer != "shaft" or kind != "link"]
        if kind == "spine":
            return self._spine_views(row), answers
        if kind == "same spine":
            return self._track_views(row), answers
        if kind == "synapse":
            return self._synapse_views(row), answers
        if kind == "link":
            candidates = self._candidates(row)
            return self._link_views(row, [int(one["chosen"]) for one in candidates]), [*candidates, *answers]
        if kind == "segment":
            return self._segment_views(row), answers
        mesh, marks = self._mesh_of(row["unit"]), self._marks(row)
        return mesh_views(np.asarray(mesh.vertices), np.asarray(mesh.faces), marks.mean(axis=0), marks), answers

    def _mesh_of(self, neuron: str) -> Mesh:
        path = self.sources.meshes[neuron]
        # two questions at once must not read a large mesh twice
        with self._reading:
            return self._mesh(path, _state(Path(path)))

    def _made_coarse(self, path: str, state: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
        with self._reading:
            mesh = self._mesh(path, state)
        return coarse(np.asarray(mesh.vertices), np.asarray(mesh.faces))

    def _block(
        self, source: str, volume: str, place_um: np.ndarray, side_um: float, numbered: list[int], orphan: int = 0
    ) -> Block:
        """The box around a place with objects in the colours of their numbers, and an orphan in white."""
        labels, size = self._labels(source, volume)
        colours = [CANDIDATE_COLOURS[n % len(CANDIDATE_COLOURS)] for n in range(len(numbered))]
        shown = ([*numbered, orphan], [*colours, OUTLINE]) if orphan else (numbered, colours)
        return block_of(self._image(volume, size), labels, size, EM.first, place_um, side_um, *shown)

    def _spine_views(self, row: pd.Series) -> list[View]:
        unit, place = row["unit"], row[POSITION].to_numpy(float)
        slices = self._stack_view("slices", unit, place, SPINE_UM, SPINE_SLICES, SPINE_PX)
        around = self._stack_view("projected", unit, place, AROUND_UM, SPINE_SLICES, AROUND_PX, project=True)
        return [slices, around, *self._strip(unit, place)]

    def _track_views(self, row: pd.Series) -> list[View]:
        units, places = (row["unit"], row["next_unit"]), (row[POSITION], row[NEXT])
        pairs = [(unit, place.to_numpy(float)) for unit, place in zip(units, places)]
        views = [
            self._stack_view(f"session {unit.rpartition('.')[2]}", unit, place, 2 * SPINE_UM, SPINE_SLICES, SPINE_PX)
            for unit, place in pairs
        ]
        return [*views, *self._strip(*pairs[0])]

    def _whole_track(self, row: pd.Series) -> tuple[list[View], list[dict[str, Any]]]:
        """The sessions of a track side by side, and answers that each say something of some of its links."""
        series = row["unit"].rpartition(".")[0]
        track = ["specimen", "field", "spine"]
        own = [*series.split("."), row["subject"]]
        links = self._read(self.sources.results / "twophoton" / "links.parquet").astype({"timepoint": str})
        links = links[(links[track] == own).all(axis=1)].astype({"next_timepoint": str})
        spines = self._read(self._spines).astype({"timepoint": str})
        places = spines[(spines[track] == own).all(axis=1)].set_index("timepoint")[POSITION]
        order = [unit.rpartition(".")[2] for unit in self.sources.series.get(series, [])]
        seen = [timepoint for timepoint in order if timepoint in places.index]
        views = [
            self._stack_view(
                f"{number + 1}: session {timepoint}",
                f"{series}.{timepoint}",
                places.loc[timepoint].to_numpy(float),
                TRACK_UM,
                TRACK_SLICES,
                TRACK_PX,
            )
            for number, timepoint in enumerate(seen)
        ]
        joined = sorted(zip(links["timepoint"], links["next_timepoint"]), key=lambda pair: order.index(pair[0]))
        pairs = [
            {
                "kind": "same spine",
                "unit": f"{series}.{one}",
                "next_unit": f"{series}.{other}",
                "subject": str(row["subject"]),
                "now": "same",
                "provenance": row["provenance"],
                **dict(zip(POSITION, places.loc[one].tolist())),
                **dict(zip(NEXT, places.loc[other].tolist())),
            }
            for one, other in joined
        ]
        # what another session is like is not said of those after it
        same = [pair | {"answer": "same"} for pair in pairs]
        answers = [_answer("one spine", "one spine", rows=same)]
        for number, pair in enumerate(pairs):
            word = f"another from session {pair['next_unit'].rpartition('.')[2]} on"
            answers.append(_answer("another", word, rows=[*same[:number], pair | {"answer": "different"}]))
        return views, answers

    def _strip(self, unit: str, place: np.ndarray) -> list[View]:
        """The place in every session of the series, as far as the spines around it tell where it is."""
        series, _, own = unit.rpartition(".")
        units = self.sources.series.get(series, [])
        if len(units) < 2 or not self._spines.exists():
            return []
        table = self._read(self._spines).astype({"timepoint": str})
        table = table[(table["specimen"] + "." + table["field"]) == series]
        out = []
        for other in units:
            timepoint = other.rpartition(".")[2]
            there = place if timepoint == own else moved(place, table, own, timepoint)
            if there is not None and Path(self.sources.stack(other)).exists():
                title = f"session {timepoint}{' (this one)' if timepoint == own else ''}"
                out.append(self._stack_view(title, other, there, FRAME_UM, FRAME_SLICES, FRAME_PX, project=True))
        return out

    def _stack_view(self, title, unit, place, side_um, half_slices, px, project=False) -> View:
        volume = self._volume(self.sources.stack(unit))
        voxel_um = tuple(size / 1000 for size in require_voxel_size(volume))
        return slices_view(title, unit, volume, voxel_um, STACK.first, place, side_um, half_slices, px, project)

    def _synapse_views(self, row: pd.Series) -> list[View]:
        volume, place = row["unit"], row[POSITION].to_numpy(float)
        labels, size = self._labels(self.sources.synapses[volume], volume)
        grey, voxel_um = self._image(volume, size), tuple(length / 1000 for length in size)
        # what the run drops is not among its labels, and so has no outline
        own = ([], [], []) if pd.isna(row["subject"]) else ([int(row["subject"])], [CANDIDATE_COLOURS[0]], [""])
        shape = (place, SYNAPSE_UM, SYNAPSE_SLICES, SYNAPSE_PX)
        return [labels_view("slices", volume, grey, labels, voxel_um, EM.first, *shape, *own)]

    def _link_views(self, row: pd.Series, candidates: list[int]) -> list[View]:
        volume, place = row["unit"], row[POSITION].to_numpy(float)
        labels, size = self._labels(self.sources.segmentations[volume], volume)
        grey, voxel_um = self._image(volume, size), tuple(length / 1000 for length in size)
        colours = [CANDIDATE_COLOURS[n % len(CANDIDATE_COLOURS)] for n in range(len(candidates))]
        numbers = [str(n + 1) for n in range(len(candidates))]
        shown = ([*candidates, int(row["subject"])], [*colours, OUTLINE], [*numbers, ""])
        shape = (place, LINK_UM, LINK_SLICES, LINK_PX)
        view = labels_view("slices", volume, grey, labels, voxel_um, EM.first, *shape, *shown)
        # what is missed in a segmentation is no synapse
        return [replace(view, unit="")]

    def _segment_views(self, row: pd.Series) -> list[View]:
        volume, place = row["unit"], row[POSITION].to_numpy(float)
        labels, size = self._labels(self.sources.segmentations[volume], volume)
        grey, voxel_um = self._image(volume, size), tuple(length / 1000 for length in size)
        shape = (place, SEGMENT_UM, SEGMENT_SLICES, SEGMENT_PX)
        own = ([int(row["subject"])], [CANDIDATE_COLOURS[0]], [""])
        # what is missed in a segmentation is no synapse
        return [replace(labels_view("slices", volume, grey, labels, voxel_um, EM.first, *shape, *own), unit="")]

    def _image(self, volume: str, size: VoxelSize) -> Volume | None:
        source = self.sources.images.get(volume)
        return self._volume(source, size) if source else None

    def _candidates(self, row: pd.Series) -> list[dict[str, Any]]:
        """Answers that name a candidate, with its probability and a place within it."""
        # 9 keys, of which three are for none, no orphan and not sure
        shafts = [int(name) for name in row["candidates"].split()][:6]
        links = read_rows(self.sources.results / "linking" / "links.parquet", "orphan", [int(row["subject"])])
        own = links[links["volume"] == row["unit"]].set_index("shaft")
        measured = self._read(self._typing(row["unit"])).set_index("segment")
        out = []
        for number, shaft in enumerate(shafts):
            where = measured.loc[shaft, list(INSIDE)].to_numpy(float) / 1000
            sure = f" ({own.loc[shaft, 'probability']:.0%})" if shaft in own.index else ""
            # ids of 64 bits are text in the browser, which counts in floats
            more = {"chosen": str(shaft), "colour": CANDIDATE_COLOURS[number], **dict(zip(NEXT, where.tolist()))}
            out.append(_answer("shaft", f"shaft {number + 1}{sure}", **more))
        return out

    def _context(self, row: pd.Series) -> list[str]:
        z, y, x = row[POSITION]
        unit = f"{row['unit']} to {row['next_unit']}" if row["next_unit"] else row["unit"]
        return [unit, f"z {z:.2f}, y {y:.2f}, x {x:.2f} um"]


def _dropped_questions(volume: str, candidates: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """About the candidates of a volume that the run drops; those that it keeps are in the table of all objects."""
    return asking.synapse_questions(candidates[candidates["synapse"] == 0].assign(volume=volume), provenance)


def _segment_questions(volume: str, typed: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """About the segments of a volume whose types a forest said; a centroid may lie outside of its segment."""
    places = dict(zip(["z_nm", "y_nm", "x_nm"], typed[list(INSIDE)].to_numpy(float).T))
    return asking.segment_questions(volume, typed.assign(**places), provenance)


def moved(place: np.ndarray, spines: pd.DataFrame, own: str, other: str) -> np.ndarray | None:
    """Where a place of one session lies in another, by the spines around it that both sessions have.

    Parameters
    ----------
    place : (3,) z y x in um
    spines : of one series
    own, other : timepoints

    Returns
    -------
    (3,), or None where the sessions share no spine
    """
    here, there = (spines[spines["timepoint"] == name].set_index("spine")[POSITION] for name in (own, other))
    both = here.index.intersection(there.index)
    if not len(both):
        return None
    near = both[np.argsort(np.linalg.norm(here.loc[both].to_numpy(float) - place, axis=1))[:NEIGHBOURS]]
    return place + (there.loc[near] - here.loc[near]).median().to_numpy(float)


def _read_asked(path: Path) -> pd.DataFrame:
    """What questions are made of: of the synapses of neurons a few columns, of other tables all."""
    if path.parts[-2:] != ("neurons", "synapses.parquet"):
        return read_table(path)
    return read_table(path, columns=[name for name in table_columns(path) if name in asking.LABEL_COLUMNS])


def _answer(answer: str, word: str, **more: Any) -> dict[str, Any]:
    return {"answer": answer, "word": word, "chosen": None, "colour": None, **more}


def _is_now(answer: dict[str, Any], row: pd.Series) -> bool:
    same = answer["answer"] == row["now"]
    return same and (answer["answer"] != "shaft" or row["kind"] != "link" or answer["chosen"] == str(row["chosen"]))


def _plain(row: pd.Series) -> dict[str, Any]:
    """What an answer to a question takes from it."""
    names = ["kind", "unit", *POSITION, "next_unit", *NEXT, "subject", "now", "provenance"]
    values = {name: None if pd.isna(row[name]) else row[name] for name in names}
    return values | {"subject": None if values["subject"] is None else str(values["subject"])}


def _state(path: Path) -> tuple[Any, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
