"""Comparisons as formulas, such as `gained/total ~ condition * day + (1 | animal/dendrite)`.

| response | model |
|---|---|
| `head_volume_um3`, `log(head_volume_um3)` | linear, of each row |
| `gained/total`, `(gained + lost)/(spines + next_spines)` | binomial: so many of so many |
| `spines/length_um` | Poisson: counts with an exposure |
| `multi_input` (a column of truths) | binomial: each row is 0 or 1 |

A ratio is a binomial one, unless its denominator is named by a unit of measure (`_um`, `_um2`, `_um3`, `_days`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = r"[A-Za-z_]\w*"
SUM = rf"(?:{NAME}|\(\s*{NAME}(?:\s*\+\s*{NAME})*\s*\))"
RATIO = re.compile(rf"({SUM})\s*/\s*({SUM})")
SINGLE = re.compile(rf"(log\(\s*)?({NAME})(?(1)\s*\))")
RANDOM = re.compile(r"\(([^()|]*)\|([^()|]*)\)")
TERM = re.compile(rf"(?:{NAME}|log\(\s*{NAME}\s*\))")
# how the names of columns end that are measured and not counted
MEASURED = ("_um", "_um2", "_um3", "_nm", "_mm", "_days")
EXAMPLE = "head_volume_um3 ~ condition + (1 | animal/dendrite)"


@dataclass(frozen=True)
class Formula:
    """A parsed comparison.

    Attributes
    ----------
    text : as it was written
    part : columns whose sum is the response, or what is counted
    whole : columns whose sum it is divided by; empty of a response that is no ratio
    kind : `linear`, `binomial` or `poisson`
    log : whether the logarithm of the response is compared
    fixed : the fixed effects, as written
    nested : the units of the random intercepts, each a way from the coarsest to the finest (`animal`, `dendrite`)
    """

    text: str
    part: tuple[str, ...]
    whole: tuple[str, ...]
    kind: str
    log: bool
    fixed: str
    nested: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> list[str]:
        """Columns of the table that the formula names, each once."""
        names = [*self.part, *self.whole, *names_of(self.fixed), *(name for way in self.nested for name in way)]
        return list(dict.fromkeys(names))


def parse(text: str) -> Formula:
    """Read a formula.

    Raises
    ------
    ValueError: what cannot be read, and how to write it.
    """
    left, tilde, right = text.partition("~")
    if not tilde or "~" in right or not left.strip() or not right.strip():
        raise ValueError(f"{text!r} is no comparison; write a response, one ~ and what it may depend on: {EXAMPLE}")
    part, whole, log = _response(left.strip(), text)
    kind = "linear"
    if whole:
        kind = "poisson" if all(name.endswith(MEASURED) for name in whole) else "binomial"
    nested = tuple(_way(*found, text) for found in RANDOM.findall(right))
    fixed = _fixed(RANDOM.sub("", right), text)
    return Formula(text, part, whole, kind, log, fixed, nested)


def names_of(fixed: str) -> list[str]:
    """Columns in fixed effects, each once, in order."""
    names = re.findall(rf"{NAME}(?!\w*\()", re.sub(r"\blog\(", "(", fixed))
    return list(dict.fromkeys(names))


def _response(left: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    if ratio := RATIO.fullmatch(left):
        part, whole = (tuple(re.findall(NAME, side)) for side in ratio.groups())
        return part, whole, False
    if single := SINGLE.fullmatch(left):
        return (single[2],), (), bool(single[1])
    raise ValueError(
        f"{text!r}: the response {left!r} is neither a column, nor log(column), nor a ratio of columns or of their "
        "sums, such as (gained + lost)/total"
    )


def _way(effect: str, units: str, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in units.split("/"))
    if effect.strip() != "1" or not all(re.fullmatch(NAME, name) for name in names):
        raise ValueError(
            f"{text!r}: the random part is ({effect.strip()} | {units.strip()}), where intercepts within units are "
            "meant: (1 | animal) or (1 | animal/dendrite). For a slope that differs between animals, take their "
            "sessions as units: (1 | animal/day)"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{text!r}: a unit stands twice in {units.strip()}")
    return names


def _fixed(right: str, text: str) -> str:
    """The fixed effects without the random ones and the signs that joined them."""
    terms = [term.strip() for term in right.split("+")]
    fixed = " + ".join(term for term in terms if term)
    for term in (part.strip() for part in re.split(r"[+*:]", fixed)):
        if not TERM.fullmatch(term):
            raise ValueError(
                f"{text!r}: cannot read {term or right.strip()!r}; fixed effects are columns or log(column), joined by "
                "+, * (both and their interaction) or : (the interaction); random ones are (1 | animal/dendrite)"
            )
    return fixed
