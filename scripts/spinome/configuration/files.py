"""Configuration files: what they hold, and what their values do not show any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


def read_settings(file: str | Path) -> dict[str, Any]:
    """The keys and values of a file of YAML or JSON, as they stand there.

    Raises
    ------
    ValueError: if the file is absent, no text in UTF-8, no YAML or without keys; the message is one line and names it.
    """
    try:
        settings = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{file}: no such configuration; `spinome new` writes one") from None
    except IsADirectoryError:
        raise ValueError(f"{file}: is a folder; name the configuration file in it") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: is no text in UTF-8 ({error.reason}); save it again as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{file}: is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{file}: holds no keys; `spinome new` writes a configuration")
    return settings


def repeated_keys(file: str | Path) -> list[str]:
    """Keys that one mapping of a file of YAML or JSON has twice; whoever reads it takes the last one without a word.

    Returns
    -------
    one line a key, with the file and both lines
    """
    try:
        root = yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return []  # whoever reads its values says so
    return [f"{file}: {problem}" for problem in _repeated(root, set())]


def _repeated(node: yaml.Node | None, seen: set[int]) -> Iterator[str]:
    if node is None or isinstance(node, yaml.ScalarNode) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _repeated(inner, seen)
        return
    lines: dict[tuple[str, str], int] = {}
    for key, inner in node.value:
        # `<<` brings in the keys of another mapping, which may come again by right
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                yield f"line {line}: the key '{key.value}' is there in line {lines[name]} as well; keep one of them"
            lines[name] = line
        yield from _repeated(inner, seen)
