"""The command `spinome`: begin a study, check its inputs, estimate its cost, review it. Running is Snakemake's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NEW = """Look at folders of data and write a study: a configuration and sample sheets with what was recognised.

Two-photon stacks, electron microscopy volumes, meshes, tables of synapses and Neuroglancer addresses are told apart by
their content. What a file does not say stays open: its cell says '?', and a question says what to write there."""
CHECK = """Open every input of a study, as a run does before its first job, and tell all problems at once."""
ESTIMATE = """Say what a study will cost, from the headers of its inputs and from measured rates: units, jobs,
CPU-hours, peak memory of a job, and disk while it runs and after."""
REVIEW = """Open a page in the browser that asks a person about the results of a study, the most telling question first.

The page is served on this machine alone. Answers go to the folder that the key review.answers names. With --export
the answers are written as the tables that a run takes, with --import such a table is taken as answers; then no page
opens."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="spinome", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = _add(commands, "new", NEW)
    new.add_argument("source", nargs="+", help="folder or file of data, or a Neuroglancer address")
    new.add_argument("--study", default=".", help="folder in which the study is written (default: this one)")
    for name, words in (("check", CHECK), ("estimate", ESTIMATE)):
        _add(commands, name, words).add_argument(
            "study", help="configuration of the study, or the folder that holds it"
        )
    review = _add(commands, "review", REVIEW)
    review.add_argument("study", help="configuration of the study, or the folder that holds it")
    review.add_argument("--port", type=int, default=0, help="port of the page (default: the same each time)")
    review.add_argument("--no-browser", action="store_true", help="print the address only")
    tables = review.add_mutually_exclusive_group()
    tables.add_argument("--export", metavar="FOLDER", help="write corrections, decisions and labels into this folder")
    tables.add_argument("--import", metavar="TABLE", dest="table", help="take this table as answers")
    review.add_argument("--who", default="", help="with --import: who gave these answers")
    review.add_argument("--neuron", help="with --import: the neuron whose synapses the table labels")
    given = parser.parse_args(arguments)
    try:
        return {"new": _new, "check": _check, "estimate": _estimate, "review": _review}[given.command](given)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _add(commands: Any, name: str, words: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=words.partition(",")[0].partition(":")[0].partition(".")[0],
        description=words,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _new(given: argparse.Namespace) -> int:
    # imported here, so that --help answers at once
    from spinome.workflow.new_study import write_study
    from spinome.workflow.recognise import recognise

    found = recognise(given.source)
    if not any(found.rows.values()):
        print("nothing was recognised; config/README.md lists the formats that are read", file=sys.stderr)
        return 1
    files = write_study(given.study, found)
    for kind, rows in found.rows.items():
        print(f"{len(rows)} {kind}")
    print("written:", *files, sep="\n  ")
    if found.passed_over:
        print("passed over:", *found.passed_over, sep="\n  ")
    if found.questions:
        print("to be answered before a run:", *found.questions, sep="\n  ")
    else:
        print(f"run it: snakemake --configfile {files[0]} --cores all")
    return 0


def _check(given: argparse.Namespace) -> int:
    from spinome.workflow.preflight import check_inputs

    study = _study(given.study)
    config = study.config
    places = [config["results"], config["resources"]]
    problems = check_inputs(study.stacks, study.volumes, study.neurons, places, config["max_failed_fraction"])
    for problem in problems:
        print(problem, file=sys.stderr)
    counts = f"{len(study.stacks)} stacks, {len(study.volumes)} volumes, {len(study.neurons)} neurons"
    print(f"{counts}: {len(problems)} problem(s)")
    return 1 if problems else 0


def _estimate(given: argparse.Namespace) -> int:
    from spinome.workflow.estimate import estimate, format_estimate

    print(format_estimate(estimate(_study(given.study))))
    return 0


def _review(given: argparse.Namespace) -> int:
    from spinome.workflow.reviewed import export, import_table, review

    study = _study(given.study)
    if given.export:
        print(*export(study, given.export), sep="\n")
    elif given.table:
        if not given.who.strip():
            raise ValueError("say by --who whose answers these are")
        print(f"{import_table(study, given.table, given.who.strip(), given.neuron)} answers taken from {given.table}")
    else:
        review(study, given.port, not given.no_browser)
    return 0


def _study(path: str) -> Any:
    """The study of a configuration file, or of the folder that holds one."""
    from spinome.configuration import complete
    from spinome.configuration.files import read_settings
    from spinome.workflow.study import read_study

    file = Path(path) / "config.yaml" if Path(path).is_dir() else Path(path)
    return read_study(complete(read_settings(file)), Path(__file__).parents[3])


if __name__ == "__main__":
    sys.exit(main())
