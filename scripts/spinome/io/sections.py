"""The order of slices or sections that are a file each."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

# a date in a name, and a day that is counted
DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
DAY = re.compile(r"(?i)(?:^|[-_. ])day[-_ ]?(\d{1,4})(?=$|[-_. ])")


def refuse_days(path: Path, files: list[Path]) -> None:
    """A ValueError where each of the images in a folder is of its own day: as one stack, sessions would be smeared."""
    for pattern in (DATE, DAY):
        days = {found.group(0) for file in files if (found := pattern.search(file.stem))}
        if len(files) > 1 and len(days) == len(files):
            raise ValueError(
                f"{path}: {files[0].name} and {files[1].name} are of different days and no slices of one stack; give "
                "each image a row of the sheet with its `day`, as `spinome new` does"
            )


def in_order(path: Path, files: list[Path]) -> list[Path]:
    """Files by the numbers in their names; a ValueError where the numbers of the slices have a gap or come twice."""
    numbers = {file: [int(part) for part in re.findall(r"\d+", file.stem)] for file in files}
    files = sorted(files, key=lambda file: (numbers[file], file.name))
    counts = [numbers[file] for file in files]
    if len({len(own) for own in counts}) != 1 or len(files) < 2:
        return files
    counted = [column for column in zip(*counts) if len(set(column)) > 1]
    if not counted:
        raise ValueError(f"{path}: {files[0].name} and {files[1].name} have one number; number the slices")
    if len(counted) > 1:
        # a time beside the number of the slice goes up with it; a channel does not
        if all(len(set(column)) == len(files) for column in counted):
            return files
        raise ValueError(
            f"{path}: the names have several numbers, as {files[0].name} and {files[1].name}; put the slices of one "
            "channel and timepoint into a folder of their own"
        )
    slices = counted[0]
    steps = [after - before for before, after in pairwise(slices)]
    usual = max(set(steps), key=steps.count)
    wrong = next((index for index, step in enumerate(steps) if step != usual), None)
    if wrong is not None:
        what = "comes twice" if steps[wrong] == 0 else f"is followed by {files[wrong + 1].name}"
        raise ValueError(f"{path}: a slice is missing or double: {files[wrong].name} {what}; copy the folder again")
    return files
