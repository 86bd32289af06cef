"""Fit one comparison of conditions."""

from spinome.compare.errors import (
    Rate,
    counted_in_answers,
    counted_in_pairs,
    rates_by_level,
    rates_of_answers,
    rates_of_evaluation,
)
from spinome.compare.fit import Comparison, columns_read, compared_factors, fit, with_rates
from spinome.design import stack_samples, with_design
from spinome.io.tables import read_table, table_columns, write_table
from spinome.scores.intervals import evaluation_table
from spinome.twophoton.evaluate import evaluation
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
told = dict(params.comparison)
rates = [Rate(rate["rate"], rate["value"], rate["number"], rate["where"]) for rate in told.pop("errors").values()]
asked = Comparison(**told, rates=rates)


def by_level(table, samples, rates, counted):
    """Rates of each level of the factors that are compared, from a table with the sample of each row."""
    table = with_design(table, samples, params.design)
    factors = [name for name, kind in params.design["columns"].items() if kind == "string"]
    return rates_by_level(table, compared_factors(asked, factors), rates, counted)


def of_truth(pairs):
    """Rates of an evaluation of these pairs."""
    return rates_of_evaluation(evaluation_table(evaluation(pairs)))


def measured():
    """Rates by what the plan names: pairs with the truth, an evaluation, or answers about spines or about labels."""
    if inputs.pairs:
        pairs = read_table(inputs.pairs[0])
        return by_level(pairs, stack_samples(pairs), of_truth, counted_in_pairs)
    if inputs.evaluation:
        return rates_of_evaluation(read_table(inputs.evaluation[0]))
    if not inputs.answers:
        return []
    answers = read_table(inputs.answers[0])
    sheet = answers["kind"].map({"spine": "stacks/", "label": "neurons/"})
    return by_level(answers, sheet + answers["unit"], rates_of_answers, counted_in_answers)


asked = with_rates(asked, measured)
columns = columns_read(table_columns(inputs.table), asked)
effects, points, plans = fit(read_table(inputs.table, columns=columns), asked, params.seed)
write_table(effects, output.effects)
write_table(points, output.points)
write_table(plans, output.plans)
