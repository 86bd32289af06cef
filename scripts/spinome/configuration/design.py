"""The design of a study: which columns of the sample sheets say what was done to whom."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from spinome.configuration.base import SampleNames, Section
from spinome.ranges import shown


def _plain_columns(names: list[str]) -> list[str]:
    for name in names:
        if not name.isidentifier():
            raise ValueError(f"names {shown(name)}; use letters, digits and '_' alone, and begin with a letter")
        if name == "animal":
            raise ValueError("names animal, which every sheet may have and no design needs to name; leave it out")
    return names


ColumnNames = Annotated[SampleNames, AfterValidator(_plain_columns)]


class Design(Section):
    """Columns of the sample sheets that go into the tables of results, beside the column `animal`."""

    factors: ColumnNames = Field(
        [],
        description="columns that divide the samples into groups, such as condition, sex or batch; each is a column of "
        "at least one sheet",
    )
    covariates: ColumnNames = Field([], description="columns of numbers, such as age_days")
    within_animal: ColumnNames = Field(
        [],
        description="those of the factors that may change within an animal, such as layer; "
        "every other factor has one level per animal",
    )

    @model_validator(mode="after")
    def _each_in_its_list(self):
        if both := [name for name in self.covariates if name in self.factors]:
            raise ValueError(f"{both[0]} is in factors and in covariates; name it in one of them")
        if other := [name for name in self.within_animal if name not in self.factors]:
            raise ValueError(f"within_animal names {other[0]}, which is none of the factors; add it there, too")
        return self
