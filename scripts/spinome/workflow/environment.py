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


def leave_checkout_as_it_is(caches: str | Path) -> None:
    """Tell this process and those that it starts to write no compiled code into the checkout.

    Python's is not written at all: to compile the library anew takes 0.2 s per job, while another folder for it
    (`PYTHONPYCACHEPREFIX`) would leave what is compiled of the installed packages unread. numba's is kept below
    `caches`, or in a temporary folder where that cannot be made, since numba refuses to run without. What the
    environment says already (`PYTHONDONTWRITEBYTECODE`, `NUMBA_CACHE_DIR`) stays.
    """
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    path = Path(caches) / "numba"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        path = Path(tempfile.gettempdir()) / f"spinome-{os.getuid()}" / "numba"
        path.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(path))


def tell_limits(limits: Mapping[str, Any]) -> None:
    """Tell this process and the jobs that it starts how much may be retrieved.

    No result depends on these limits (`retrieve.limits`), so that they are no parameter of a rule.
    """
    os.environ[VARIABLE] = json.dumps(limits)
