"""Condensed features in files: as Parquet, in the layout of meshmash, or compressed to a byte per vertex.

All hold the domains' log HKS and the domain of each vertex of the original mesh (`domains.label[vertex_of]`).
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from spinome.io.atomic import atomic
from spinome.io.tables import read_table

# meshmash keeps the names of the columns once for all files of a folder
HEADER = "header.txt"
# hold 99.95 % and more of the variance of log HKS of real neurites
COMPONENTS = 6


def write_parquet(folder: str | Path, log_hks: np.ndarray, label: np.ndarray) -> None:
    """Write features as two tables: `domains.parquet`, a row per domain, and `vertices.parquet`, a row per vertex.

    Parameters
    ----------
    folder : folder of the mesh
    log_hks : (D, T), natural log of HKS of each domain
    label : (V,) domain of each vertex, -1 where it has none

    Raises
    ------
    ValueError: if a label names no domain.
    """
    _check(log_hks, label)
    with atomic(folder) as part:
        part.mkdir()
        for name, table in _tables(log_hks, label).items():
            table.to_parquet(part / f"{name}.parquet", index=False, compression=PARQUET)


def read_parquet(folder: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what `write_parquet` wrote: log_hks (D, T) float32; label (V,) int32, -1 where a vertex has no domain.

    Raises
    ------
    ValueError: if a table is no such table; the message names it.
    """
    domains, vertices = (read_table(Path(folder) / f"{name}.parquet", ["domain"]) for name in ("domains", "vertices"))
    return domains.drop(columns="domain").to_numpy(np.float32), vertices["domain"].to_numpy(np.int32)


def write_meshmash(path: str | Path, log_hks: np.ndarray, label: np.ndarray) -> None:
    """Write features so that `meshmash.read_condensed_features` opens them (Pedigo et al. 2026).

    Parameters
    ----------
    path : path of the `.npz`; `header.txt` is written beside it where it is absent
    log_hks : (D, T), natural log of HKS of each domain
    label : (V,) domain of each vertex, -1 where it has none

    Raises
    ------
    ValueError: if the folder's `header.txt` has other columns, or a label names no domain.
    """
    path = Path(path)
    _check(log_hks, label)
    columns = [f"hks_{number}" for number in range(log_hks.shape[1])]
    header = path.with_name(HEADER)
    if not header.exists():
        with atomic(header) as part:
            part.write_text("\t".join(columns))
    elif _read_header(header) != columns:
        raise ValueError(f"{header}: has other columns than hks_0 to {columns[-1]}; write into another folder")
    with atomic(path) as part, part.open("wb") as stream:
        _save_meshmash(stream, log_hks, label)


def read_meshmash(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read features that `meshmash.save_condensed_features` or `write_meshmash` wrote.

    Returns
    -------
    log_hks (D, T) float32 without the row of the null domain, NaN where meshmash has no feature; label (V,)
    int32, -1 in the null domain

    Raises
    ------
    ValueError: if the file or its `header.txt` is no such file; the message names it.
    """
    path = Path(path)
    features, labels = _arrays(path, "X", "labels")
    header = path.with_name(HEADER)
    columns = _read_header(header) if header.exists() else None
    if columns is not None and len(columns) != features.shape[1]:
        raise ValueError(
            f"{header}: names {len(columns)} columns, {path.name} has {features.shape[1]}; copy both again"
        )
    return features[1:].astype(np.float32), labels.astype(np.int32)


def write_compressed(path: str | Path, log_hks: np.ndarray, label: np.ndarray) -> None:
    """Write features as six float16 per domain: its principal components, their basis once in the file.

    Parameters
    ----------
    path : path of the `.npz`
    log_hks : (D, T) finite, natural log of HKS of each domain
    label : (V,) domain of each vertex, -1 where it has none

    Raises
    ------
    ValueError: if a feature is not finite, or a label names no domain.
    """
    with atomic(path) as part, part.open("wb") as stream:
        _save_compressed(stream, log_hks, label)


def read_compressed(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what `write_compressed` wrote.

    Returns
    -------
    log_hks (D, T) float32; label (V,) int32, -1 where a vertex has no domain

    Raises
    ------
    ValueError: if the file is no such file; the message names it.
    """
    return _decompressed(*_arrays(Path(path), *COMPRESSED))


def storage_table(full: np.ndarray, log_hks: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """What each form of the features costs, and what it loses.

    Parameters
    ----------
    full : (V, T) log HKS of each vertex
    log_hks : (D, T) of each domain; label : (V,) domain of each vertex, all with one

    Returns
    -------
    Table with a row for `gzip` (the full features as float32), `parquet`, `meshmash` and `compressed`: `form`,
    `bytes_per_vertex`, `times_smaller` than gzip, and of the absolute error of log HKS, over vertices and times,
    `median_error` and `p99_error` against `full`, `median_added` and `p99_added` against the domains' features
    """
    files = {"meshmash": io.BytesIO(), "compressed": io.BytesIO()}
    _save_meshmash(files["meshmash"], log_hks, label)
    _save_compressed(files["compressed"], log_hks, label)
    files["compressed"].seek(0)
    with np.load(files["compressed"]) as data:
        restored, _ = _decompressed(*(data[name] for name in COMPRESSED))
    tables = _tables(log_hks, label).values()
    packed = len(gzip.compress(np.ascontiguousarray(full, np.float32).tobytes()))
    rows = []
    for form, size, features in [
        ("gzip", packed, None),
        ("parquet", sum(len(table.to_parquet(index=False, compression=PARQUET)) for table in tables), log_hks),
        ("meshmash", files["meshmash"].getbuffer().nbytes, log_hks),
        ("compressed", files["compressed"].getbuffer().nbytes, restored),
    ]:
        lost = np.zeros(1) if features is None else np.abs(features[label] - full)
        added = np.zeros(1) if features is None else np.abs(features - log_hks)
        rows.append([form, size / len(label), packed / size, *_median_p99(lost), *_median_p99(added)])
    columns = ["form", "bytes_per_vertex", "times_smaller", "median_error", "p99_error", "median_added", "p99_added"]
    return pd.DataFrame(rows, columns=columns)


COMPRESSED = ("components", "basis", "mean", "domain")
# of the tables, a half smaller than by the default
PARQUET = "zstd"
# what a storage is called in the configuration: the suffix of its files, none for a folder, and its writer
STORAGES = {
    "parquet": ("", write_parquet),
    "meshmash": (".npz", write_meshmash),
    "compressed": (".npz", write_compressed),
}


def _tables(log_hks: np.ndarray, label: np.ndarray) -> dict[str, pd.DataFrame]:
    names = [f"log_hks_{number}" for number in range(log_hks.shape[1])]
    domains = pd.DataFrame(log_hks.astype(np.float32), columns=names)
    domains.insert(0, "domain", np.arange(len(domains), dtype=np.int32))
    return {"domains": domains, "vertices": pd.DataFrame({"domain": label.astype(np.int32)})}


def _save_meshmash(stream: BinaryIO, log_hks: np.ndarray, label: np.ndarray) -> None:
    null = np.full((1, log_hks.shape[1]), np.nan)
    np.savez_compressed(stream, X=np.concatenate([null, log_hks]).astype(np.float32), labels=label.astype(np.int32))


def _save_compressed(stream: BinaryIO, log_hks: np.ndarray, label: np.ndarray) -> None:
    _check(log_hks, label)
    if not np.isfinite(log_hks).all():
        raise ValueError(
            f"{(~np.isfinite(log_hks)).any(axis=1).sum()} of {len(log_hks)} domains have no finite log HKS"
        )
    mean = log_hks.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(log_hks - mean, full_matrices=False)
    basis = directions[:COMPONENTS]
    # 0 is the null domain, as in meshmash's X, so that the labels need no sign
    domain = (label + 1).astype(np.min_scalar_type(len(log_hks)))
    np.savez_compressed(
        stream,
        components=((log_hks - mean) @ basis.T).astype(np.float16),
        basis=basis.astype(np.float32),
        mean=mean.astype(np.float32),
        domain=domain,
    )


def _decompressed(
    components: np.ndarray, basis: np.ndarray, mean: np.ndarray, domain: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return components.astype(np.float32) @ basis + mean, domain.astype(np.int32) - 1


def _check(log_hks: np.ndarray, label: np.ndarray) -> None:
    if label.min() < -1 or label.max() >= len(log_hks):
        raise ValueError(f"labels are {label.min()} to {label.max()}, but there are {len(log_hks)} domains")


def _read_header(header: Path) -> list[str]:
    return header.read_text().split("\t")


def _arrays(path: Path, *names: str) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as data:
            return [data[name] for name in names]
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: holds no condensed features ({error}); it needs {', '.join(names)}") from error


def _median_p99(values: np.ndarray) -> tuple[float, float]:
    return float(np.median(values)), float(np.percentile(values, 99))
