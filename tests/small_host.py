"""A small host on this machine: a memory control group that its processes see as a container sees its own, one core."""

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup/memory")
GROUP = ROOT / "gpt2_small_host"
# The group is mounted where a container finds its own; the shell becomes the command, so its process is the server's.
SCRIPT = """
echo $$ > "$1/cgroup.procs"
root=$2 core=$3; shift 3
exec unshare --cgroup --mount bash -c '
    mount --make-rprivate / && umount "$0" && mount -t cgroup -o memory none "$0" && exec taskset -c "$@"
' "$root" "$core" "$@"
"""


class SmallHost:
    """A host of so many MB with one core; the kernel kills what takes more. Needs root and control groups, version 1.

    Attributes: `prefix` is the command that runs another one on this host.
    """

    def __init__(self, memory_mb: int, core: int = 0) -> None:
        """Make the group.

        Raises:
            RuntimeError: if this machine has no such groups, or this is not root.
        """
        if os.geteuid() != 0 or not (ROOT / "memory.limit_in_bytes").exists():
            raise RuntimeError("A small host needs root and version 1 memory control groups; leave --memory-mb out.")
        GROUP.mkdir(exist_ok=True)
        (GROUP / "memory.limit_in_bytes").write_text(str(memory_mb * 10**6))
        (GROUP / "memory.max_usage_in_bytes").write_text("0")
        self._killed_before = self._number("memory.oom_control", "oom_kill")
        self.prefix = ("bash", "-c", SCRIPT, "small host", str(GROUP), str(ROOT), str(core))

    @property
    def used_bytes(self) -> int:
        """The memory that counts against the limit now, without files that nobody reads any more."""
        used = int((GROUP / "memory.usage_in_bytes").read_text())
        return used - self._number("memory.stat", "total_inactive_file")

    @property
    def most_bytes(self) -> int:
        """The most memory that it ever took, cached files counted too."""
        return int((GROUP / "memory.max_usage_in_bytes").read_text())

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed here."""
        return self._number("memory.oom_control", "oom_kill") - self._killed_before

    @staticmethod
    def _number(file: str, name: str) -> int:
        lines = (line.split() for line in (GROUP / file).read_text().splitlines())
        return next(int(value) for key, value in lines if key == name)
