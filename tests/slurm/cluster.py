"""A real Slurm cluster on this machine alone, from Debian's packages, for the time of a test.

Everything listens on loopback and runs from a folder of its own; what it started is what it ends. Slurm looks
for its configuration where the package expects it, so `/etc/slurm/slurm.conf` is a link for that time.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]
CONFIGURATION = Path("/etc/slurm/slurm.conf")
# how the folder of a cluster is named
PREFIX = "spinome-slurm-"
PORTS = 27100
TEMPLATE = """
ClusterName=spinome
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/socket/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MailProg=/bin/true
"""


class NoCluster(RuntimeError):
    """Slurm cannot be started here; the message is the reason."""


@contextmanager
def cluster(folder: Path, nodes: int = 2, cpus: int = 2, memory_mb: int = 6000) -> Iterator[None]:
    """Run a cluster of some virtual nodes as long as the block lasts.

    Parameters
    ----------
    folder : an empty folder for state, logs and sockets
    nodes : number of node daemons
    cpus, memory_mb : what each node offers, whatever the machine has; a neuron that could not be had is taken for a
        large one, whose signatures ask for 4.4 GB

    Raises
    ------
    NoCluster: where there is no root, no apt, no package, or another Slurm is configured.
    """
    _install()
    if CONFIGURATION.exists() and not _left_behind():
        raise NoCluster(f"{CONFIGURATION} belongs to another Slurm")
    host = socket.gethostname().partition(".")[0]
    lines = [TEMPLATE.format(host=host, port=PORTS, folder=folder)]
    names = [f"node{number}" for number in range(1, nodes + 1)]
    for number, name in enumerate(names, start=1):
        lines.append(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={PORTS + number} "
            f"CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN"
        )
        (folder / "spool" / name).mkdir(parents=True)
    lines.append(f"PartitionName=all Nodes={','.join(names)} Default=YES MaxTime=01:00:00 State=UP DefMemPerCPU=500")
    for name in ("state", "socket", "munge"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    (folder / "munge").chmod(0o700)
    (folder / "slurm.conf").write_text("\n".join(lines) + "\n")
    key = folder / "munge" / "key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(1024))
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.unlink(missing_ok=True)  # a link that leads nowhere, or to a cluster that is no more
    CONFIGURATION.symlink_to(folder / "slurm.conf")
    daemons: list[subprocess.Popen] = []
    try:
        munge_files = [f"--{kind}={folder}/munge/{kind}" for kind in ("pid-file", "log-file", "seed-file")]
        munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/socket/munge"]
        daemons.append(_start([*munged, *munge_files], folder))
        _wait(lambda: (folder / "socket" / "munge").exists(), "munged does not answer", folder)
        daemons.append(_start(["slurmctld", "-D", "-i"], folder))
        daemons += [_start(["slurmd", "-D", "-N", name], folder) for name in names]
        _wait(lambda: _idle_nodes() == set(names), "the nodes do not come up", folder)
        yield
    finally:
        subprocess.run(["scancel", "--user=root"], capture_output=True, timeout=20, check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        if CONFIGURATION.is_symlink() and CONFIGURATION.readlink() == folder / "slurm.conf":
            CONFIGURATION.unlink()


def _left_behind() -> bool:
    """Whether the configuration is a link that an earlier cluster left when its test was killed, and nothing runs."""
    if not CONFIGURATION.is_symlink() or CONFIGURATION.readlink().parent.name[: len(PREFIX)] != PREFIX:
        return False
    try:
        pid = (CONFIGURATION.readlink().parent / "slurmctld.pid").read_text().strip()
        return "slurmctld" not in Path("/proc", pid, "comm").read_text()
    except OSError:
        return True


def _install() -> None:
    if os.geteuid() != 0:
        raise NoCluster("starting Slurm takes root")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if all(shutil.which(program) for program in ("slurmctld", "slurmd", "sbatch", "munged")):
        return
    if not shutil.which("apt-get"):
        raise NoCluster("Slurm is not installed and there is no apt-get to install it")
    # Debian's own switch against daemons that start when their package is installed
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
            answer = subprocess.run(
                ["apt-get", *command],
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if answer.returncode:
                raise NoCluster(f"apt-get {command[0]} failed: {answer.stderr.strip()[-300:]}")
    finally:
        if ours:
            policy.unlink()


def _start(command: list[str], folder: Path) -> subprocess.Popen:
    with (folder / f"{'-'.join(command[:1] + command[3:4])}.log".replace("/", "_")[:60]).open("w") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _idle_nodes() -> set[str]:
    answer = subprocess.run(
        ["sinfo", "-h", "-N", "-t", "idle", "-o", "%N"], capture_output=True, text=True, check=False
    )
    return set(answer.stdout.split())


def _wait(ready: Callable[[], bool], complaint: str, folder: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            words = "\n".join(f"{log.name}: {log.read_text()[-500:]}" for log in sorted(folder.glob("*.log")))
            raise NoCluster(f"{complaint} within {seconds} s\n{words}")
        time.sleep(0.2)
