"""The Methods paragraph of a run: what was done to what, with which models and keys, and what to cite for it.

Citations are written as pandoc reads them, with the keys of `spinome.report.bibliography`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

# programs of other people that numbers depend on, as their packages are called
PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "torch")
# columns that the numbers of the text need; some of these tables have millions of rows
COLUMNS = {"links": ["volume", "orphan", "linked"], "objects": ["volume"]}
NOTE = (
    "This text was written by the run that it describes. Check it, shorten it, and say beside it how the samples were "
    "made and imaged. `methods.bib` holds what it cites."
)


def methods(
    told: Mapping[str, Mapping[str, Any]],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    design: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> str:
    """The Methods paragraph as Markdown, one paragraph a branch.

    Parameters
    ----------
    told : of each branch its samples and models, as `spinome.workflow.plans.methods.MethodsPlan` tells them
    config : the whole configuration
    provenance : content of `provenance.json`
    tables : `specimens` and `completeness`, and of `objects`, `links` and `neuron_table` those that there are, with
        `COLUMNS` at least
    design : see `spinome.report.design.summarise_design`; empty where the study has none
    changed : settings other than the defaults, by key
    """
    branches = {
        "twophoton": lambda facts: _twophoton(facts, config["twophoton"]),
        "synapses": lambda facts: _synapses(facts, config["synapses"], tables),
        "linking": lambda facts: _linking(facts, config["linking"], tables),
        "neurons": lambda facts: _neurons(facts, config["neurons"], tables),
    }
    paragraphs = [_software(provenance, config, changed), *([_design(design)] if design else [])]
    paragraphs += [" ".join(tell(told[branch])) for branch, tell in branches.items() if branch in told]
    paragraphs.append(" ".join(_results(tables)))
    paragraphs += [" ".join(_comparisons(config["compare"]))] if config["compare"] else []
    return "\n\n".join(["# Methods", *paragraphs, f"*{NOTE}*"]) + "\n"


def _software(provenance: Mapping[str, Any], config: Mapping[str, Any], changed: Mapping[str, Any]) -> str:
    versions = {name.lower(): version for name, version in provenance["versions"].items()}
    used = [f"{name} {versions[name]}" for name in PACKAGES if name in versions]
    others = f", with {_listed(used)}" if used else ""
    settings = [f"`{key}` {_value(value)}" for key, value in changed.items()]
    told = (
        f"These settings were not the defaults: {'; '.join(settings)}." if settings else "All settings were defaults."
    )
    return (
        f"Images and meshes were analysed with Spinome {provenance['spinome']} [@spinome], run by Snakemake "
        f"{provenance['snakemake']} [@molder2021]{others}. The random seed was {config['seed']}. {told} "
        f"`config.yaml` (hash {provenance['configuration']}) has every setting."
    )


def _design(design: Mapping[str, Any]) -> str:
    samples, kinds = design["samples"].values(), design["columns"]
    text = f"Samples came from {_count(len({values['animal'] for values in samples}), 'animal')}."
    for factor in (name for name, kind in kinds.items() if kind == "string" and name != "animal"):
        pairs = {(values[factor], values["animal"]) for values in samples if factor in values}
        animals = Counter(level for level, _ in pairs)
        levels = [f"{level} ({_count(animals[level], 'animal')})" for level in sorted(animals)]
        text += f" The factor {factor} had the levels {_listed(levels)}."
    covariates = [name for name, kind in kinds.items() if kind == "number"]
    return text + (f" Covariates: {_listed(covariates)}." if covariates else "")


def _twophoton(facts: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    registration, track, measure = config["registration"], config["track"], config["measure"]
    turned = (
        f" and rotation of up to {registration['max_rotation_deg']:g} degrees"
        if registration["max_rotation_deg"]
        else ""
    )
    yield (
        f"{_count(facts['stacks'], 'two-photon stack')} of {_number(facts['series'])} series went through the steps of "
        "SynapFlow [@osunavargas2025]: detection, tracking through depth, tracking through time and measuring. The "
        "slices of each stack were registered by sub-pixel cross-correlation [@guizarsicairos2008], with shifts of up "
        f"to {registration['max_shift_um']:g} um{turned}."
    )
    if facts["models"]:
        judged = (
            " by their looks and by whether the sessions before and after show them"
            if config["detect"]["across_sessions"] and facts["repeated"]
            else " by their looks"
        )
        yield (
            "Spines were detected in each slice by a small transformer with deformable attention [@zhu2021] "
            f"({_model(facts['models']['detector'])}) and joined through depth. These candidates were judged{judged}: "
            "a forest of extremely randomised trees [@geurts2006] gives each the calibrated probability [@platt1999] "
            f"of being a spine ({_model(facts['models']['judge'])})."
        )
        if config["detect"]["score"] is not None:
            yield f"Candidates with a probability of at least {config['detect']['score']:g} were taken for spines."
    else:
        yield "Boxes of spines in each slice were those of another detector and were joined through depth."
    yield (
        "Head volumes follow from the brightness of the head relative to that of its shaft, for a point-spread "
        f"function of {measure['psf_xy_um']:g} um laterally and {measure['psf_z_um']:g} um axially (full width at half "
        "maximum); shapes follow published criteria [@risher2014]."
    )
    if facts["repeated"]:
        corrected = " Links and spines were corrected by hand." if track["corrections"] else ""
        yield (
            "Spines were followed through time by one assignment over all sessions of a field, within "
            f"{track['gate_um']:g} um of where neighbouring structures place them; a spine could be missed in up to "
            f"{_count(track['gap_sessions'], 'session')}.{corrected} Turnover is the number of spines gained and lost "
            "over that of the spines in both sessions, as seen and corrected for missed spines [@jolly1965]; survival "
            "is the product-limit estimate [@kaplan1958]; changes of size are set against the mean of both sessions "
            "[@oldham1962]. Intervals are 95 % bootstrap intervals over dendrites [@efron1993]."
        )


def _synapses(facts: Mapping[str, Any], config: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    if facts["detected"]:
        how = (
            "a small U-Net that looks across sections at its coarser levels [@lee2017]"
            if facts["kind"] == "network"
            else "a random forest on the features of VESICLE [@grayroncal2015vesicle]"
        )
        yield (
            f"Synapses of {_count(facts['detected'], 'EM volume')} were found voxel by voxel by {how} "
            f"({_model(facts['models']['synapses'])}), and voxels that touch ({config['merge']['connectivity']} "
            "neighbours) were joined to synapses."
        )
        if facts["learns"]:
            what = (
                "The network, or which of its candidates are synapses, was"
                if facts["relearns"]
                else "Which candidates are synapses was"
            )
            yield (
                f"{what} learned from what people answered in this run, where that was better on answers drawn by lot."
            )
        if facts["adapted"]:
            yield (
                "The statistics of its normalisation layers were moved half of the way to those of each volume "
                "[@li2016; @schneider2020]."
            )
    if given := facts["volumes"] - facts["detected"]:
        yield f"The synapses of {_count(given, 'EM volume')} were given."
    block = " x ".join(f"{side:g}" for side in config["density"]["block_um"])
    yield (
        f"{_were(len(tables['objects']), 'synapse')} counted in blocks of {block} um (z, y, x) within the mask. How "
        "evenly they are spread is described by Moran's I [@moran1950] and by statistics that take into account that "
        "neighbouring blocks depend on each other [@conley1999]."
    )


def _linking(facts: Mapping[str, Any], config: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    models = facts["models"]
    if facts["computed"]:
        yield f"{_were(facts['computed'], 'EM volume')} segmented."
        if "membranes" in models:
            yield (
                f"Membranes were predicted by a U-Net [@ronneberger2015] ({_model(models['membranes'])}), whose "
                "normalisation layers were moved a quarter of the way to the statistics of each volume [@li2016; "
                "@schneider2020]."
            )
        merged = (
            "a forest of extremely randomised trees [@geurts2006] on features of their contact [@nuneziglesias2013] "
            f"({_model(models['agglomeration'])}), which had to be the surer the larger the smaller one was,"
            if "agglomeration" in models
            else f"the {config['agglomerate']['priority']} membrane probability of their contact"
        )
        yield (
            "Superpixels are the basins of watershed cuts [@cousty2009] and were merged in the order that "
            f"{merged} gives them, up to {config['agglomerate']['threshold']:g}."
        )
    links = tables["links"]
    linked = links[links["linked"].astype(bool)][["volume", "orphan"]].drop_duplicates()
    orphans = len(links[["volume", "orphan"]].drop_duplicates())
    typed = "by rules on their size"
    if "typing" in models:
        forest = f"a forest on their shape ({_model(models['typing'])})"
        typed = f"by {forest}" if facts["typed_by_shape"] else f"{typed}, and shafts from axons and glia by {forest}"
    yield f"Segments were told apart as shafts and as orphan spines, which no dendrite holds, {typed}."
    if orphans:
        # one model links all volumes; by a lower probability than it is told to where it is a forest alone
        linked_from = tables["link_limits"]["linked_from"].iloc[0]
        choice = "" if linked_from < config["links"]["threshold"] else " and a conditional logit [@mcfadden1974]"
        yield (
            "As in SANTIAGO [@grayroncal2016], an orphan was linked to the most probable of the shafts around it, here "
            f"by a forest of extremely randomised trees [@geurts2006]{choice} "
            f"({_model(models['links'])}), where the probability was at least {linked_from:g}: "
            f"{_number(len(linked))} of {_count(orphans, 'orphan')} got a parent."
        )
    if facts["graphs"]:
        yield "The graph of synapses joins two synapses that share a neurite [@grayroncal2015graphs]."


def _neurons(facts: Mapping[str, Any], config: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    hks, simplify = config["hks"], config["simplify"]
    sources = [_count(facts["sheet"], "neuron mesh")] if facts["sheet"] else []
    sources += [f"the meshes made from {_count(facts['volumes'], 'EM volume')}"] if facts["volumes"] else []
    yield (
        f"The surfaces of {_listed(sources)} were labelled as soma, shaft and spine by their heat kernel signatures, "
        "as in [@pedigo2026]."
    )
    if simplify["vertices_per_um2"] or simplify["reduction"]:
        much = (
            f"to {simplify['vertices_per_um2']:g} vertices per um2"
            if simplify["vertices_per_um2"]
            else f"by {simplify['reduction']:.0%} of their faces"
        )
        yield f"Meshes were simplified {much} by quadric error [@garland1997]."
    if simplify["soma_vertices_per_um2"]:
        yield (
            "In meshes of a million vertices and more somata were simplified to "
            f"{simplify['soma_vertices_per_um2']:g} vertices per um2 by quadric error [@garland1997]."
        )
    solved = (
        "the selected inverse of its shifted matrices [@takahashi1973]"
        if hks["solver"] == "selected_inversion"
        else "eigenpairs of overlapping chunks, band by band [@vallet2008]"
    )
    yield (
        "The signature [@sun2009] of each vertex was computed on the intrinsic Delaunay Laplacian of the tufted "
        f"cover [@sharp2020] by {solved}. Vertices of similar signatures were joined to domains by Ward "
        f"clustering [@ward1963] up to a distance of {config['condense']['distance']:g}, and a forest of extremely "
        f"randomised trees [@geurts2006] labelled each domain ({_model(facts['models']['neurons'])})."
    )
    yield (
        "Regions labelled spine were parted where two heads rise "
        f"{config['spines']['rise_nm']:g} nm above the place where they meet [@edelsbrunner2002]; regions of less than "
        f"{config['spines']['min_area_um2']:g} um2 were left out."
    )
    if facts["with_synapses"]:
        tagged = int(tables["neuron_table"][["on_soma", "on_shaft", "on_spine"]].sum().sum())
        yield (
            f"{_number(tagged)} input synapses took the label of the place of the surface that they are nearest to, "
            f"within {config['synapses']['max_distance_nm']:g} nm."
        )


def _comparisons(asked: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    formulas = [f"`{one['formula']}` on the table {one['table']}" for one in asked.values()]
    yield (
        f"{_were(len(asked), 'comparison')} made: {'; '.join(formulas)}. Linear models were fitted by restricted "
        "maximum likelihood, those of counts by Laplace's approximation, with random intercepts [@bates2015]. "
        "Intervals of 95 % and p-values are by t with between-within degrees of freedom [@schluchter1990]."
    )
    if len(asked) > 1:
        yield (
            "P-values of comparisons that were named together were corrected by the methods of Holm [@holm1979] and of "
            "Benjamini and Hochberg [@benjamini1995]."
        )
    if any(
        one["errors"] or one["errors_of_truth"] or one["errors_of_review"] or one["probability"]
        for one in asked.values()
    ):
        yield "The error of the machine was carried into the intervals where it was stated or measured."


def _results(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    missing = tables["completeness"]
    yield f"In all, {_were(int(tables['specimens']['spines'].sum()), 'spine')} found."
    lost = missing[missing["missing"] > 0]
    if len(lost):
        steps = [f"{row.missing} of {row.units} units of the step {row.step}" for row in lost.itertuples()]
        yield f"{_upper(_listed(steps))} could not be computed; they are left out and not counted as empty."


def _model(model: Mapping[str, Any]) -> str:
    """Where a model comes from."""
    if model["origin"] == "trained":
        return f"trained in this run on {_listed(model['teachers'])}"
    if model["origin"] == "answered":
        return "one that learned from what people answered in this run, or the one before it where that was better"
    if model["origin"] == "shipped":
        return f"the model that Spinome ships, {model['file']}, hash {model['stamp']}"
    if model["origin"] == "published":
        return f"the published network at {model['file']} ({model['stamp']})"
    return f"the model {model['file']}, hash {model['stamp']}"


def _count(count: int, noun: str) -> str:
    """A number with its noun, such as `1 spine` and `1,200 meshes`."""
    plural = f"{noun}es" if noun.endswith("sh") else f"{noun}s"
    return f"{_number(count)} {noun if count == 1 else plural}"


def _were(count: int, noun: str) -> str:
    return f"{_count(count, noun)} {'was' if count == 1 else 'were'}"


def _value(value: Any) -> str:
    """A setting as it stands in the configuration."""
    return "empty" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(count: int) -> str:
    return f"{int(count):,}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
