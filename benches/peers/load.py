"""How busy other processes kept the machine during a measurement.

Both sides suffer when they must share the cores, but not equally: PyTorch's threads wait for each other actively, and
one of them that is not running holds up the rest. A ratio from a busy machine is wrong in our favour.
"""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

DISTURBED = 0.05
"""Share of the cores from which on a measurement should be repeated."""


@dataclass(frozen=True)
class Moment:
    """Seconds: by the clock, of processor time of the whole machine, and of our finished processes."""

    clock: float
    busy: float
    ours: float


def now() -> Moment | None:
    """`None` where the system does not say what the whole machine does; only Linux does so in a file."""
    try:
        line = Path("/proc/stat").read_text().split("\n")[0]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupt, soft, steal = map(int, line.split()[1:9])
    busy = (user + nice + system + interrupt + soft + steal) / os.sysconf("SC_CLK_TCK")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Moment(time.perf_counter(), busy, usage.ru_utime + usage.ru_stime)


def share_of_others(begin: Moment | None, end: Moment | None) -> float | None:
    """What others took of all cores between two moments; a host that took cores away counts as other."""
    if begin is None or end is None:
        return None
    others = (end.busy - begin.busy) - (end.ours - begin.ours)
    return max(0.0, others / ((end.clock - begin.clock) * (os.cpu_count() or 1)))
