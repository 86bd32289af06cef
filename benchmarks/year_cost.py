"""What the two published data sets would cost: CPU-hours, memory, disk, transfer and dollars, from measured rates.

    PYTHONPATH=scripts .venv/bin/python benchmarks/year_cost.py

Rates are those that `spinome estimate` reads (`scripts/spinome/workflow/rates.tsv`); nothing is run. The sizes are the
published ones, and each neuron is taken to be as large as the one real neuron that the rates were measured on.
"""

from __future__ import annotations

import pandas as pd

from runner import Row
from spinome.workflow.estimate import branch_cost, read_rates

# list prices in dollars of one large provider, on demand, rounded; put in your own
CORE_HOUR, GB_MONTH, GB_TRANSFER = 0.045, 0.08, 0.09
NEURONS, VERTICES, LARGEST = 75_241, 0.693, 2.33
# as fragments of one resolution without compression: 12 bytes a vertex, and two faces of 12 bytes for each
MESH_BYTES_A_VERTEX = 36
# Bock et al. 2011, in 8-bit grey values
VOXELS, CUBOID = 67_712 * 59_904 * 1_239 / 1e6, 64 * 512 * 512 / 1e6
SHARDS = 400


def cost_table() -> pd.DataFrame:
    """One row per data set and branch: hours and dollars of computing, GB of disk and of transfer.

    Returns
    -------
    Table `what cpu_hours peak_gb running_gb kept_gb transfer_gb dollars_cpu dollars_disk_month dollars_transfer`;
    transfer is out of the place that holds the inputs, and free where the workflow runs there
    """
    rates = read_rates()
    neurons = branch_cost(rates, "neurons", (NEURONS * VERTICES, LARGEST, NEURONS), SHARDS, None)
    # what `neurons.keep: condensed` leaves; the signatures of a shard go as soon as it is condensed
    passing = neurons["kept_gb"] * (1 - 11 / 138)
    neurons["kept_gb"] -= passing
    neurons["running_gb"] -= passing * (1 - 1 / SHARDS)
    rows = {
        f"neurons: {NEURONS:,} meshes of {VERTICES * 1e3:.0f} thousand vertices": (
            neurons,
            NEURONS * VERTICES * 1e6 * MESH_BYTES_A_VERTEX / 1e9,
        )
    }
    for branch in ("synapses", "linking"):
        cost = branch_cost(rates, branch, (VOXELS, VOXELS, 1), SHARDS, CUBOID)
        rows[f"{branch}: the Bock volume, {VOXELS / 1e6:.2f}e12 voxels"] = cost, VOXELS * 1e6 / 1e9
    table = pd.DataFrame(
        [{"what": what, **cost, "transfer_gb": transfer} for what, (cost, transfer) in rows.items()]
    ).rename(columns={"peak_mb": "peak_gb"})
    table["peak_gb"] /= 1000
    table["dollars_cpu"] = table["cpu_hours"] * CORE_HOUR
    table["dollars_disk_month"] = table["running_gb"] * GB_MONTH
    table["dollars_transfer"] = table["transfer_gb"] * GB_TRANSFER
    return table.drop(columns=["branch", "units", "size", "jobs"])


def cost_rows() -> list[Row]:
    """CPU-hours and dollars of each."""
    rows = []
    for one in cost_table().itertuples():
        rows.append(Row(f"{one.what}: by the rates of spinome estimate", one.cpu_hours, "CPU-hours"))
        dollars = one.dollars_cpu + one.dollars_disk_month + one.dollars_transfer
        rows.append(Row(f"{one.what}: computing, a month of disk and transfer", dollars, "dollars"))
    return rows


if __name__ == "__main__":
    print(cost_table().round(1).to_string(index=False))
