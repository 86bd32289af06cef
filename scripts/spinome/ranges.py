"""What a key of the configuration or a column of a sample sheet may hold, in words, from its type and limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

# of a value in a message
MOST_SHOWN = 60
# lines of errors that are told of at once
MOST_LINES = 40


def allowed(annotation: Any, limits: Iterable[Any] = ()) -> str:
    """What a value must be, such as `a whole number from 1 to 10,000`.

    Parameters
    ----------
    annotation : type of a field, with limits of its own where it is `Annotated`
    limits : `ge`, `gt`, `le` and `lt` of the field (`FieldInfo.metadata`)
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return allowed(inner[0], [*limits, *_limits(inner[1:])])
    if origin in (Union, UnionType):
        return " or ".join("nothing" if one is NoneType else allowed(one, limits) for one in inner)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple:
        return f"a list of {len(inner)} values, each {allowed(inner[0])}"
    if origin is list:
        return f"a list{_length(limits)}, each {allowed(inner[0])}"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        kind = "a whole number" if annotation is int else "a number"
        return f"{kind} {_between(limits)}".rstrip()
    return "text" if annotation is str else "keys with their values"


def wrong_kind(value: Any, annotation: Any) -> str | None:
    """A remark on a value that Python would turn into the type that is meant though it is none; else None.

    `true` is no number, `5.0` no whole number, and text no number; but YAML 1.1 reads a number such as `1e-5`, which
    has no point, as text, and it is one.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return wrong_kind(value, inner[0])
    if origin in (Union, UnionType):
        return None if value is None else wrong_kind(value, next(one for one in inner if one is not NoneType))
    if origin in (tuple, list) and isinstance(value, list | tuple):
        kinds = inner if origin is tuple else inner * len(value)
        return next((remark for remark in map(wrong_kind, value, kinds) if remark is not None), None)
    if origin is Literal and isinstance(value, bool | float) and not isinstance(inner[0], str):
        return ""
    if annotation is bool and not isinstance(value, bool):
        return ""
    if annotation in (int, float) and isinstance(value, bool):
        return "true and false are no numbers"
    if annotation is int and isinstance(value, float):
        return "with a decimal point" if value == value else ""
    if annotation in (int, float) and isinstance(value, str) and not (annotation is float and _is_exponential(value)):
        return "text; write numbers without quotes"
    return None


def shown(value: Any) -> str:
    """A value as it stands in a message and in YAML, cut where it is long."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # integers of thousands of digits, lists that hold themselves
        return f"this {type(value).__name__}"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def first_lines(lines: Sequence[str]) -> list[str]:
    """The first of many lines of errors, and how many there are more."""
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"... and {more:,} more"] if more > 0 else list(lines)


def _is_exponential(text: str) -> bool:
    if "e" not in text.lower() or "_" in text:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def _limits(metadata: Iterable[Any]) -> list[Any]:
    return [limit for item in metadata for limit in (item.metadata if isinstance(item, FieldInfo) else [item])]


def _between(limits: Iterable[Any]) -> str:
    bounds = {
        name: getattr(limit, name) for limit in limits for name in ("ge", "gt", "le", "lt") if hasattr(limit, name)
    }
    low = (
        f"from {_plain(bounds['ge'])}" if "ge" in bounds else f"above {_plain(bounds['gt'])}" if "gt" in bounds else ""
    )
    join = "to" if "ge" in bounds else "up to"
    high = (
        f"{join} {_plain(bounds['le'])}"
        if "le" in bounds
        else f"below {_plain(bounds['lt'])}"
        if "lt" in bounds
        else ""
    )
    between = " and " if low and "lt" in bounds else " "
    return between.join(part for part in (low, high) if part)


def _length(limits: Iterable[Any]) -> str:
    bounds = {
        name: getattr(limit, name) for limit in limits for name in ("min_length", "max_length") if hasattr(limit, name)
    }
    return f" of {bounds['min_length']} to {bounds['max_length']}" if len(bounds) == 2 else ""


def _plain(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"
