"""Fit one comparison of conditions."""

from spinome.compare.errors import Rate, rates_by_level, rates_of_evaluation
from spinome.compare.fit import Comparison, compared_factors, fit, with_rates
from spinome.design import stack_samples, with_design
from spinome.io.tables import read_table, write_table
from spinome.scores.intervals import evaluation_table
from spinome.twophoton.evaluate import evaluation
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
told = dict(params.comparison)
rates = [Rate(rate["rate"], rate["value"], rate["number"], rate["where"]) for rate in told.pop("errors").values()]
asked = Comparison(**told, rates=rates)
if inputs.pairs:
    pairs = read_table(inputs.pairs[0])
    pairs = with_design(pairs, stack_samples(pairs), params.design)
    factors = compared_factors(asked, [name for name, kind in params.design["columns"].items() if kind == "string"])
    asked = with_rates(asked, rates_by_level(pairs, factors, lambda own: evaluation_table(evaluation(own))))
elif inputs.evaluation:
    asked = with_rates(asked, rates_of_evaluation(read_table(inputs.evaluation[0])))
effects, points, plans = fit(read_table(inputs.table), asked, params.seed)
write_table(effects, output.effects)
write_table(points, output.points)
write_table(plans, output.plans)
