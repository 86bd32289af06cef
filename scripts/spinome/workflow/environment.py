"""What jobs find in their environment: where compiled code is kept, and how much may be retrieved.

Compiled code is kept with the user and not in the checkout, which others may share and which may be fixed.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinome.io.web.limits import VARIABLE


def keep_caches_with_the_user(folder: str | Path) -> None:
    """Tell this process and those that it starts to keep compiled Python and numba code below a folder.

    What the environment says already (`PYTHONPYCACHEPREFIX`, `NUMBA_CACHE_DIR`) stays. Where the folder cannot be
    made, a temporary one is used, since numba refuses to run without.
    """
    for variable, name in (("PYTHONPYCACHEPREFIX", "python"), ("NUMBA_CACHE_DIR", "numba")):
        path = Path(folder) / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            path = Path(tempfile.gettempdir()) / f"spinome-{os.getuid()}" / name
            path.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault(variable, str(path))


def tell_limits(limits: Mapping[str, Any]) -> None:
    """Tell this process and the jobs that it starts how much may be retrieved.

    No result depends on these limits (`retrieve.limits`), so that they are no parameter of a rule.
    """
    os.environ[VARIABLE] = json.dumps(limits)
