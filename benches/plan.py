"""Holds what `mixlab plan` foresees of every shipped config against what `mixlab measure step` finds.

    python3 benches/plan.py

Close other programs. Prints one row a config and a line with the largest differences; exits with 1 if peak memory is off
by more than 15 % or the time of an update by more than 30 %. What is found is the median of several processes: the peak of
one depends on which of its threads happens to hold freed memory.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "target/release/mixlab"
MEMORY, TIME = 0.15, 0.30


def runs() -> list[str]:
    """Configs of single runs; those with a base are sweeps."""
    found = sorted(ROOT.glob("configs/*.toml")) + sorted(ROOT.glob("configs/bench/*.toml"))
    single = [path for path in found if not any(line.startswith("base") for line in path.read_text().splitlines())]
    return [str(path.relative_to(ROOT)) for path in single]


def asked(*arguments: str) -> dict:
    done = subprocess.run([PROGRAM, *arguments, "--json"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: `mixlab {' '.join(arguments)}` ended with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="Holds `mixlab plan` against `mixlab measure step`.")
    parser.add_argument("configs", nargs="*", help="all shipped ones if absent")
    parser.add_argument("--rounds", type=int, default=5, help="updates that are timed in a process")
    parser.add_argument("--processes", type=int, default=3, help="processes that are measured")
    options = parser.parse_args()
    print(f"{'config':34} {'MiB':>7} {'found':>7} {'from':>5} {'to':>5} {'ratio':>6}   {'ms':>8} {'found':>8} {'ratio':>6}")
    worst = {"memory": 1.0, "time": 1.0}
    for config in options.configs or runs():
        plan = asked("plan", config)
        # An update of a minute needs no others to warm up for it.
        slow = plan["milliseconds"] > 10_000
        repeated = ["--warm-up", "0", "--rounds", "1"] if slow else ["--rounds", str(options.rounds)]
        step = ["measure", "step", config, *repeated]
        steps = [asked(*step) for _ in range(options.processes)]
        peaks = [step["peak_rss_mib"] for step in steps]
        memory = plan["memory"]["peak"], statistics.median(peaks)
        time = plan["milliseconds"], statistics.median(step["median_ms"] for step in steps)
        ratios = {"memory": memory[0] / memory[1], "time": time[0] / time[1]}
        for name, ratio in ratios.items():
            worst[name] = max(worst[name], ratio, key=lambda r: abs(r - 1))
        print(
            f"{config:34} {memory[0]:7.0f} {memory[1]:7.0f} {min(peaks):5.0f} {max(peaks):5.0f} {ratios['memory']:6.2f}"
            f"   {time[0]:8.1f} {time[1]:8.1f} {ratios['time']:6.2f}",
            flush=True,
        )
    print(f"\nfurthest off: memory {worst['memory']:.2f}, time {worst['time']:.2f}")
    if abs(worst["memory"] - 1) > MEMORY or abs(worst["time"] - 1) > TIME:
        sys.exit(1)


if __name__ == "__main__":
    main()
