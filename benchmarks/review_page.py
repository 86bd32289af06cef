"""How long a person waits between two questions of `spinome review`, in Chromium, on the results of `make demo`.

Clocked within the page: from a key to the frame in which the next question has been drawn. The person answers a second
after each question has come.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from playwright.sync_api import Page, sync_playwright

from runner import RESULTS, Row, write_rows

CONFIG = Path("config/demo/config.yaml")
KINDS = ("spine", "same spine", "track", "synapse", "link", "segment", "label", "patch", "one spine")
ANSWERS = 20
PAUSE_MS = 1000
TARGET_S = 0.3
WAIT = "wait for the next question in Chromium"
# for the page: answers as the run says, and gives the milliseconds until another question has been drawn
ANSWER = """async ([count, pause]) => {
  const waited = [];
  for (let number = 0; number < count; number++) {
    await new Promise((done) => setTimeout(done, pause));
    const before = state.current, start = performance.now();
    document.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
    while (!state.current || state.current === before) await new Promise((done) => setTimeout(done, 2));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    waited.push(performance.now() - start);
  }
  return waited;
}"""


def waits(page: Page, kind: str) -> np.ndarray:
    """Seconds (ANSWERS,) from each answer to the next question."""
    page.locator("#kinds button").filter(has_text=re.compile(rf"^{kind} \d")).click()
    page.evaluate(
        "kind => new Promise((done) => { const look = () => state.current && state.current.kind === kind"
        " ? done() : setTimeout(look, 20); look(); })",
        kind,
    )
    page.evaluate("document.activeElement.blur()")
    return np.array(page.evaluate(ANSWER, [ANSWERS, PAUSE_MS])) / 1000


def rows() -> list[Row]:
    """A row for each kind of question that the results have."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    settings = yaml.safe_load(CONFIG.read_text())
    if not Path(settings["results"]).is_dir():
        raise SystemExit(f"{settings['results']}: no results to ask about; run make demo first")
    out = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(settings | {"review": {"answers": f"{folder}/answers.parquet"}}))
        command = [sys.executable, "-m", "spinome.workflow.command", "review", str(config), "--no-browser"]
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address is not None
            page = browser.new_page()
            # drawn by software, a movable view would take the processor that is measured here
            page.add_init_script("localStorage.setItem('spinome-movable', 'off')")
            page.goto(address[0])
            page.fill("#who", "bench")
            page.press("#who", "Enter")
            for kind in KINDS:
                seconds = waits(page, kind)
                print(kind, np.round(np.sort(seconds), 3).tolist(), flush=True)
                what = f"{WAIT}, {kind}, {ANSWERS} answers a second after each"
                out.append(Row(f"{what}, median", float(np.median(seconds)), "s", TARGET_S, True))
                out.append(Row(f"{what}, longest", float(seconds.max()), "s"))
        finally:
            browser.close()
            server.kill()
            server.wait()
    return out


def main() -> None:
    """Write the rows beside those of what models learn from answers."""
    path = RESULTS / "review.tsv"
    others = pd.read_table(path, dtype=str, keep_default_na=False) if path.exists() else pd.DataFrame()
    write_rows("review", rows())
    if len(others):
        own = pd.read_table(path, dtype=str, keep_default_na=False)
        kept = others[~others["what"].str.startswith(WAIT)]
        pd.concat([kept, own], ignore_index=True).to_csv(path, sep="\t", index=False)


if __name__ == "__main__":
    main()
