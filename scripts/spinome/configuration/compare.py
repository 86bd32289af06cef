"""Keys of the comparisons of conditions."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from spinome.compare.formula import names_of, parse
from spinome.configuration.base import GivenPath, NamedFiles, Section, Share

# the tables of a study that can be compared, below the folder of results, and the branch that makes each
TABLES = {
    "spines": "",
    "twophoton/spines": "twophoton",
    "twophoton/dendrites": "twophoton",
    "twophoton/turnover": "twophoton",
    "twophoton/survival": "twophoton",
    "twophoton/size_changes": "twophoton",
    "synapses/blocks": "synapses",
    "linking/spines": "linking",
    "neurons/neurons": "neurons",
    "neurons/spines": "neurons",
    "neurons/synapses": "neurons",
    "census/cells": "neurons",
}


# the kind of question whose answers tell the machine's error in a table
ANSWERED = {"twophoton/dendrites": "spine", "twophoton/turnover": "spine", "census/cells": "label"}

# kinds of tables of one's own; `spinome.io.tables`, which reads them, takes a second to load
KINDS = (".parquet", ".feather", ".csv", ".tsv", ".csv.gz", ".tsv.gz")


def _readable(formula: str) -> str:
    parse(formula)
    return formula


class ErrorRate(Section):
    """A rate of the machine's error, and on how many it was counted."""

    rate: Literal["precision", "recall", "sensitivity", "specificity"] = Field(
        description="what it is a rate of: precision and recall of detection, sensitivity and specificity of a class"
    )
    value: Share = Field(description="its value")
    number: float = Field(
        ge=1,
        le=1_000_000_000,
        description="how many spines or labels it was counted on; of a stated belief, how many it is worth",
    )
    where: dict[str, str] = Field(
        {}, description="values of columns of the rows that it holds for, such as `condition: treated`; empty: all"
    )


class Comparison(Section):
    """One comparison of conditions."""

    table: GivenPath = Field(
        description="table of the results, such as `twophoton/turnover` (docs/compare.md lists them), or the path of a "
        "table of your own"
    )
    formula: Annotated[str, AfterValidator(_readable)] = Field(
        description="what is compared, such as `gained/total ~ condition * day`, with its random intercepts"
    )
    where: dict[str, list[str]] = Field(
        {}, description="values of columns; only rows with one of them are compared, such as `source: [neurons]`"
    )
    reference: dict[str, str] = Field(
        {}, description="by factor the level that others are compared with; by default the first in the alphabet"
    )
    terms: list[str] = Field([], description="columns of the formula whose effects are asked for; empty: all")
    together: str = Field("all", description="name of the comparisons whose p-values are corrected together")
    errors: dict[str, ErrorRate] = Field(
        {}, description="the machine's error, rates by any name, each `{rate, value, number, where}`"
    )
    errors_of_truth: bool = Field(
        False, description="whether precision and recall are taken from the branch's evaluation against the truth"
    )
    errors_of_review: bool = Field(
        False,
        description="whether the machine's error is taken from answers of `spinome review` to questions drawn by lot",
    )
    probability: str | None = Field(
        None, description="column with the probability that a row is a spine, which is carried; empty: not carried"
    )
    planned_effect: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="effect to plan a study for, a ratio (0.75) or the size of a difference in the response's unit; "
        "empty: the one that was found",
    )

    @field_validator("table")
    @classmethod
    def _known_table(cls, table: str) -> str:
        if table not in TABLES and not table.endswith(KINDS):
            raise ValueError(
                f"is {table}, which is neither a table of the results ({', '.join(TABLES)}) nor a file of the kind "
                f"{', '.join(KINDS)}"
            )
        return table

    @model_validator(mode="after")
    def _consistent(self):
        formula = parse(self.formula)
        if unknown := {*self.terms, *self.reference} - set(names_of(formula.fixed)):
            raise ValueError(
                f"{', '.join(sorted(unknown))} is in terms or reference, and no column of {formula.fixed!r}"
            )
        if self.probability and self.errors:
            raise ValueError("give either errors or probability; both would count what is false twice")
        if self.errors_of_truth and self.table not in ("twophoton/dendrites", "twophoton/turnover", "neurons/neurons"):
            raise ValueError(
                "errors_of_truth: the evaluations hold rates of counts of spines, for twophoton/dendrites, "
                "twophoton/turnover and neurons/neurons; state the rate under errors"
            )
        if self.errors_of_review and self.table not in ANSWERED:
            raise ValueError(
                f"errors_of_review: people are asked about what {', '.join(ANSWERED)} count; state the rate under "
                "errors"
            )
        if self.errors_of_review and self.errors_of_truth:
            raise ValueError("give either errors_of_truth or errors_of_review; both measure the same")
        return self


Comparisons = Annotated[dict[str, Comparison], NamedFiles]
