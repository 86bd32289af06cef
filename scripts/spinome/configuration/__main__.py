"""Write `config/config.yaml`, `workflow/schemas/config.schema.json` and `config/README.md` from the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from spinome.configuration import Configuration
from spinome.configuration.base import Section, nested_section
from spinome.ranges import allowed

REPOSITORY = Path(__file__).parents[3]
EXAMPLE_SAMPLES = {branch: f"config/demo/{branch}.tsv" for branch in ("stacks", "volumes", "neurons")}


def default_configuration() -> str:
    """The text of `config/config.yaml`: every key with its default, and the sample sheets of the demo."""
    values = Configuration().model_dump()
    values["samples"] = EXAMPLE_SAMPLES
    lines = ["# Every key with its default; generated from scripts/spinome/configuration. See README.md beside it.", ""]
    for key, value in values.items():
        lines.append(yaml.safe_dump({key: value}, sort_keys=False, default_flow_style=False, width=110).rstrip())
        if isinstance(value, dict):
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def schema() -> str:
    """The text of the JSON schema of the configuration."""
    return json.dumps(Configuration.model_json_schema(), indent=2) + "\n"


def documentation() -> str:
    """The text of `config/README.md`: a table of every key."""
    introduction = (REPOSITORY / "config" / "introduction.md").read_text()
    rows = [
        f"| `{key}` | {_show(default)} | {_allowed(field)} | {text} |"
        for key, default, text, field in keys(Configuration)
    ]
    table = "\n".join(["| key | default | allowed | what it does |", "|---|---|---|---|", *rows])
    return f"{introduction.rstrip()}\n\n## Every key\n\n{table}\n"


def keys(model: type[Section], prefix: str = "") -> Iterator[tuple[str, Any, str, FieldInfo]]:
    """Every key of a section and of the sections in it: dotted name, default, description and the field itself."""
    for name, field in model.model_fields.items():
        inner = nested_section(field.annotation)
        if inner is not field.annotation:
            yield f"{prefix}{name}", field.get_default(call_default_factory=True), field.description or "", field
        if inner is not None:
            yield from keys(inner, f"{prefix}{name}." if inner is field.annotation else f"{prefix}{name}.NAME.")


def _show(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if default is None or default == "":
        return ""
    if isinstance(default, dict):
        default = {name: _plain(value) for name, value in default.items()}
    return f"`{_plain(default)}`"


def _plain(value: Any) -> Any:
    """A section as what differs from its own defaults."""
    return value.model_dump(exclude_defaults=True) if isinstance(value, Section) else value


def _allowed(field: FieldInfo) -> str:
    """What a key may hold, where its type does not say it already."""
    kinds = str(field.annotation)
    named = any(kind in kinds for kind in ("int", "float", "bool", "Literal"))
    return allowed(field.annotation, field.metadata).removesuffix(" or nothing") if named else ""


GENERATED = {
    "config/config.yaml": default_configuration,
    "workflow/schemas/config.schema.json": schema,
    "config/README.md": documentation,
}

if __name__ == "__main__":
    for name, text in GENERATED.items():
        (REPOSITORY / name).write_text(text())
        print(f"wrote {name}")
