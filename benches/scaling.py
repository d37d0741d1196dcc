"""How the time of an update grows with the length: what is counted against what is measured.

    python3 benches/scaling.py --rounds 3 > target/scaling.md

Every length of a mixer is a process of its own, and each round has all of them in turn. Needs Python 3.11 and the
program, which `cargo build --release` makes. Not part of `.ci/run`: times on a shared machine gate nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {"softmax": "softmax-4096", "linear": "linear-4096", "flash": "flash-4096"}
# Equal tokens in an update, and the two lengths between which the time of a token should not change.
FLAT = ("linear", "flash")
SHORT, LONG = (16, 1024), (1, 16_384)
FLAT_GOAL = 1.15
# Where softmax attention should fall behind FLASH as the counts predict.
QUADRATIC = [(1, 4096), (1, 8192), (1, 16_384)]
QUADRATIC_GOAL = 0.20


def cases() -> list[tuple[str, tuple[int, int]]]:
    wanted = [(mixer, shape) for mixer in FLAT for shape in (SHORT, LONG)]
    wanted += [(mixer, shape) for shape in QUADRATIC for mixer in ("softmax", "flash")]
    return list(dict.fromkeys(wanted))


def measure(program: Path, mixer: str, shape: tuple[int, int]) -> dict:
    batch, length = shape
    sets = (f"train.batch={batch}", f"train.length={length}", f"model.max_length={length}")
    command = [str(program), "measure", "step", f"configs/bench/{CONFIGS[mixer]}.toml", "--json"]
    command += ["--warm-up", "1", "--rounds", "3", *(word for text in sets for word in ("--set", text))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: `{' '.join(command)}` ended with exit code {done.returncode}")
    return json.loads(done.stdout)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def times(rounds: list[dict]) -> list[str]:
    lines = ["| mixer | batch × length | ms an update | µs a token | GFLOP | of the ceiling |", "|---|--:|--:|--:|--:|--:|"]
    for case in cases():
        mixer, (batch, length) = case
        middle = {key: statistics.median(r[case][key] for r in rounds) for key in rounds[0][case]}
        lines.append(
            f"| {mixer} | {batch} × {length:,} | {middle['median_ms']:,.0f}"
            f" | {1e3 * middle['median_ms'] / batch / length:.1f}"
            f" | {middle['gigaoperations']:,.0f} | {100 * middle['share_of_ceiling']:.0f} % |"
        )
    return lines


def flat(rounds: list[dict]) -> list[str]:
    lines = ["| mixer | time of a token at 16,384 over 1,024 | goal | met |", "|---|--:|--:|---|"]
    for mixer in FLAT:
        ratios = [r[mixer, LONG]["median_ms"] / r[mixer, SHORT]["median_ms"] for r in rounds]
        met = "yes" if statistics.median(ratios) <= FLAT_GOAL else "no"
        lines.append(f"| {mixer} | {spread(ratios)} | {FLAT_GOAL} | {met} |")
    return lines


def quadratic(rounds: list[dict]) -> list[str]:
    lines = ["| length | softmax over FLASH, measured | counted | measured over counted | within 20 % |"]
    lines += ["|--:|--:|--:|--:|---|"]
    for shape in QUADRATIC:
        pairs = [(r["softmax", shape], r["flash", shape]) for r in rounds]
        measured = [softmax["median_ms"] / flash["median_ms"] for softmax, flash in pairs]
        counted = pairs[0][0]["gigaoperations"] / pairs[0][1]["gigaoperations"]
        quotient = statistics.median(measured) / counted
        met = "yes" if abs(quotient - 1) <= QUADRATIC_GOAL else "no"
        lines.append(f"| {shape[1]:,} | {spread(measured)} | {counted:.2f} | {quotient:.2f} | {met} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Times updates at several lengths, in turn.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="processes a case; 3 if absent")
    options = parser.parse_args()
    program = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "mixlab"
    if options.rounds < 1 or not program.is_file():
        sys.exit(f"error: expected at least one round and the program at {program}\nhint: cargo build --release")
    rounds = []
    for index in range(options.rounds):
        rounds.append({case: measure(program, *case) for case in cases()})
        print(f"round {index + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    print("\n\n".join("\n".join(part(rounds)) for part in (times, flat, quadratic)))


if __name__ == "__main__":
    main()
