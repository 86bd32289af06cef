"""Fit one comparison of conditions."""

from spinome.compare.errors import Rate, rates_of_evaluation
from spinome.compare.fit import Comparison, fit, with_rates
from spinome.io.tables import read_table, write_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
told = dict(params.comparison)
rates = [Rate(rate["rate"], rate["value"], rate["number"], rate["where"]) for rate in told.pop("errors").values()]
asked = Comparison(**told, rates=rates)
if inputs.evaluation:
    asked = with_rates(asked, rates_of_evaluation(read_table(inputs.evaluation[0])))
effects, points, plans = fit(read_table(inputs.table), asked, params.seed)
write_table(effects, output.effects)
write_table(points, output.points)
write_table(plans, output.plans)
