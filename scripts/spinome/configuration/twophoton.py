"""Keys of the twophoton branch."""

from typing import Annotated

from pydantic import AfterValidator, Field

from spinome.configuration.base import GivenPath, SampleNames, Section, file_with


class Registration(Section):
    """Registration of the slices of a stack."""

    max_shift_um: float = Field(
        1.5, ge=0.01, le=50, description="largest in-plane shift of a slice against its neighbours"
    )
    max_rotation_deg: float = Field(
        0.0, ge=0, le=10, description="largest angle that a slice is turned by; 0 for shifts alone"
    )


class Detect(Section):
    """Detection and depth tracking."""

    score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="least score of a spine; empty: the threshold in the model file, chosen on held-out data",
    )
    across_sessions: bool = Field(
        True,
        description=(
            "whether the sessions before and after help to decide if a candidate is a spine; false: each session "
            "is judged alone"
        ),
    )
    boxes: GivenPath | None = Field(
        None,
        description=(
            "CSV of boxes by SynapFlow, or its folder with one file per slice; used in place of the detector. "
            "SynapFlow's stacks must be named `specimen.field.timepoint`"
        ),
    )
    gap_slices: int = Field(1, ge=0, le=20, description="empty slices that a spine may have in the middle")


class Measure(Section):
    """Sizes and lengths."""

    psf_xy_um: float = Field(
        0.4, ge=0.05, le=5, description="lateral width of the point-spread function, full at half maximum"
    )
    psf_z_um: float = Field(
        2.0, ge=0.1, le=50, description="axial width of the point-spread function, full at half maximum"
    )


class Track(Section):
    """Correspondence between sessions and tracks through time."""

    max_shift_um: float = Field(6.0, ge=0.01, le=100, description="largest in-plane shift between two sessions")
    gate_um: float = Field(1.5, ge=0.01, le=20, description="largest distance of a spine from where it is expected")
    gap_sessions: int = Field(1, ge=0, le=100, description="sessions that a spine may be missed in and keep its id")
    corrections: GivenPath | None = Field(
        None,
        description=(
            "TSV of a person's corrections of spines and links, in the columns of `twophoton/review/<series>.tsv` "
            "(docs/exchange.md)"
        ),
    )


class Train(Section):
    """Training of the detector."""

    steps: int = Field(700, ge=1, le=100_000, description="optimiser steps, 0.7 to 1.3 CPU-s each")
    fields: list[GivenPath] = Field(
        [],
        description=(
            "folders of flat field views: `images/` and `boxes.csv` (`image x_min_px y_min_px x_max_px y_max_px`), or "
            "`outlines.csv` (`image spine y_px x_px`); a column `group` keeps near-duplicates together"
        ),
    )
    pixel_um: list[Annotated[float, Field(ge=0.005, le=5)]] = Field(
        [0.073],
        min_length=1,
        max_length=100,
        description="pixel of the flat field views, one for all folders or one for each",
    )
    start: Annotated[GivenPath, AfterValidator(file_with(".safetensors"))] | None = Field(
        None,
        description=(
            "detector that training begins with, such as `workflow/models/detector.safetensors`; empty: random weights"
        ),
    )


class Twophoton(Section):
    """Keys of the twophoton branch."""

    train: SampleNames = Field(
        [],
        description="series `specimen.field` with truth to train the detector on; they are left out of the evaluation",
    )
    train_judge: SampleNames = Field(
        [],
        description="series with truth to train the judge of candidates on, in seconds; left out of the evaluation",
    )
    registration: Registration = Registration()
    detect: Detect = Detect()
    measure: Measure = Measure()
    track: Track = Track()
    training: Train = Train()
