"""What every scripted rule does around its one call of the library: its log, its inputs by name, its shard.

The parameters of a rule are of five kinds, told apart by their names:

- `code`, and settings under whatever name: they count for every unit of the rule, and for Snakemake
- `each`: what is said of single units, by unit; it counts for that unit, and for Snakemake
- `inputs`: stamps of the files that were given from outside (`spinome.workflow.stamps`); they count for Snakemake
  alone, since each unit counts the content of its own files
- `shards`: how many there are of a volume; it counts for Snakemake alone, since another number leaves a shard of the
  same name with other units, and finished units are found in the store
- `aside`: what decides how and where, and not what (`spinome.workflow.params.uncounted`); it counts for nothing
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from spinome.hashing import content_hash
from spinome.io.atomic import remove
from spinome.io.damage import DamagedError
from spinome.logs import log_to
from spinome.seeds import number_of
from spinome.workflow.fingerprints import Fingerprints
from spinome.workflow.made import is_made
from spinome.workflow.shards import Finished, Unit, run_shard

NOT_IN_KEY = ("each", "inputs", "shards", "aside")
# below the results
FINGERPRINTS = ".fingerprints"


def begin(snakemake: Any) -> tuple[Any, Any, Any]:
    """Send what the script prints to its log; a damaged result that it meets is removed, so that it is made again.

    Returns
    -------
    inputs, parameters and outputs of the rule
    """
    log_to(snakemake.log, getattr(snakemake, "resources", None))
    sys.excepthook = lambda kind, error, trace: _fail(snakemake, kind, error, trace)
    return snakemake.input, snakemake.params, snakemake.output


def by_name(files: Any, kind: str) -> dict[str, Any]:
    """The named inputs `<kind>/<name>` of a rule as a mapping: what belongs together never goes by position.

    Parameters
    ----------
    files : inputs or outputs of the rule
    kind : what comes before the slash
    """
    return {
        name.removeprefix(f"{kind}/"): value for name, value in files.items() if name and name.startswith(f"{kind}/")
    }


def source(snakemake: Any, column: str) -> str | None:
    """Where a volume of the rule is: as its row says in the parameter `aside`, else in the input of this name.

    Parameters
    ----------
    column : of the sample sheet; None comes back where the volume is neither given nor made
    """
    return snakemake.params.aside.row[column] or snakemake.input.get(column) or None


def sources(snakemake: Any, column: str) -> dict[str, str]:
    """Where the volumes of the rule are by name, as `source`, those left out that are neither given nor made."""
    made = by_name(snakemake.input, column)
    named = {name: row[column] or made.get(name) for name, row in snakemake.params.aside.rows.items()}
    return {name: place for name, place in named.items() if place}


def model_file(snakemake: Any, name: str = "model") -> Path | None:
    """The file of the rule's model: trained in this run, or given from outside; None where the step has none.

    Parameters
    ----------
    name : of the input and in `aside`
    """
    trained = snakemake.input.get(name) or []
    files = [trained] if isinstance(trained, str) else [*trained, getattr(snakemake.params.get("aside"), name, None)]
    return Path(files[0]) if files[0] else None


def store(snakemake: Any) -> Path:
    """The folder of what the rule keeps for its next run, whether or not this one fails."""
    results, step = _place(snakemake)
    return results / "units" / step


def resources(snakemake: Any) -> Path:
    """The folder of retrieved data, wherever a module's prefix puts it."""
    results, configured = _place(snakemake)[0], snakemake.config
    return Path(str(results).removesuffix(str(Path(configured["results"]))), configured["resources"])


def fingerprints(snakemake: Any) -> Fingerprints:
    """What is known of the given files that the job reads (`spinome.workflow.fingerprints`)."""
    results, step = _place(snakemake)
    within = [str(value) for _, value in sorted(snakemake.wildcards.items())]
    return Fingerprints(results / FINGERPRINTS, "/".join([step, *within]))


def own_units(snakemake: Any, names: Iterable[str], inputs: str = "") -> list[Unit]:
    """Those of these units that fall into the rule's shard, with what they are all made from.

    Parameters
    ----------
    names : of all units of the step
    inputs : hash of what every one of them is made from, such as the stamp of a volume
    """
    shard, shards = int(snakemake.wildcards.shard), snakemake.params.shards
    return [Unit(name, inputs) for name in names if number_of(name, shards) == shard]


def units_after(*steps: Finished) -> list[Unit]:
    """Units that all of the steps before have finished, under keys that change with those of these steps."""
    names = set(steps[0]).intersection(*steps[1:])
    return [Unit(name, "|".join(step.key(name) for step in steps)) for name in sorted(names)]


def run_units(
    snakemake: Any,
    units: Iterable[Unit],
    compute: Callable[[Unit, Path], None],
    *,
    suffix: str = "",
    state: Any = None,
    read: Iterable[str | None] = (),
    store: str | Path | None = None,
    published: str | Path | None = None,
    spent: Sequence[Finished] = (),
    outage: type[Exception] | None = None,
    lent: bool = False,
) -> None:
    """Compute the units of the rule's shard that are not there yet, and write its tables `done` and `failures`.

    Parameters
    ----------
    units : of this shard
    compute : called with a unit and the path that it writes
    suffix : of the units' files; empty where a unit is a folder
    state : what else counts for every unit, such as the hash of a model that was trained in this run
    read : sources that the shard reads, whose fingerprints the provenance takes
    store : folder of the units; empty: one of the step's own among the results
    published : folder in which each finished unit also stands under its plain name, for people to open
    spent : steps before, whose units are removed once this step has made its own from them, unless all are kept; the
        parameter `aside` says so by its value `readers` (`spinome.workflow.shards.SPENT`)
    outage : an error that is no unit's fault where every unit of the shard ends in it
    lent : whether a unit that was let go counts as finished (`spinome.workflow.fetched`)
    """
    results, step = _place(snakemake)
    params = snakemake.params
    each: Mapping[str, Any] = params.get("each") or {}
    settings = {name: value for name, value in params.items() if name not in NOT_IN_KEY}
    own = [Unit(unit.name, content_hash(unit.inputs, each.get(unit.name))) for unit in units]
    within = [str(value) for name, value in sorted(snakemake.wildcards.items()) if name != "shard"]
    run_shard(
        own,
        compute,
        step=step,
        store=store or results.joinpath("units", step, *within),
        suffix=suffix,
        key=content_hash(settings, state),
        done=snakemake.output.done,
        failures=snakemake.output.failures,
        own=_made_here(snakemake),
        published=published,
        readers=getattr(params.aside, "readers", ""),
        spent=spent,
        outage=outage,
        lent=lent,
    )
    fingerprints(snakemake).note(*read)


def _place(snakemake: Any) -> tuple[Path, str]:
    """The folder of results and the name of the step, from where its log is written.

    A workflow that takes this one in as a module may put names before the rules and folders before the paths.
    """
    parts = Path(snakemake.log[0]).with_suffix("").parts
    for number, (folder, step) in enumerate(pairwise(parts)):
        if folder == "logs" and snakemake.rule.endswith(step):
            return Path(*parts[:number]), step
    raise ValueError(f"{snakemake.log[0]}: the log of rule {snakemake.rule} has to be <logs>/{snakemake.rule}...")


def _made_here(snakemake: Any) -> Callable[[str | Path], bool]:
    """Whether a file was made by this workflow (`spinome.workflow.made`), wherever a module's prefix puts it."""
    results = _place(snakemake)[0]
    return partial(is_made, results=results, resources=resources(snakemake), config=snakemake.config)


def _fail(snakemake: Any, kind: type[BaseException], error: BaseException, trace: Any) -> None:
    traceback.print_exception(kind, error, trace)
    if not isinstance(error, DamagedError):
        return
    damaged = Path(error.path)
    if _made_here(snakemake)(damaged):
        # a store is known to Snakemake by its whole folder, so what lies in an input takes the input with it
        for file in snakemake.input:
            if damaged == Path(file) or damaged.is_relative_to(file):
                remove(Path(file))
                print(f"{file}: removed; the next run makes it again", flush=True)
