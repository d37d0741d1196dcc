"""Mixlab beside PyTorch: times both sides of every row in turn, and prints a Markdown report.

Each measurement is a process of its own; in each round a row has one process a side, in an order that is swapped from
round to round, so that a slow minute of the machine meets both.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import load
import report
from gate import Verdict, run_kernel_tests
from options import at_least
from rows import ROOT, ROWS, Row, row_named

HERE = Path(__file__).resolve().parent


class ProcessFailed(Exception):
    """A measuring process did not give its figures."""


def refuse(message: str, hint: str) -> NoReturn:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    sys.exit(2)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    names = ",".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(description="Times one update in Mixlab and in PyTorch, in turn.")
    parser.add_argument("--rows", default=names, metavar="A,B", help=f"which rows; all if absent: {names}")
    parser.add_argument("--rounds", type=at_least(1), default=5, metavar="N", help="processes a side; 5 if absent")
    parser.add_argument("--threads", type=at_least(1), default=2, metavar="N", help="of either side; 2 if absent")
    parser.add_argument("--mixlab", type=Path, metavar="PATH", help="the program; built from this checkout if absent")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every raw figure")
    parser.add_argument("--fused-optimizer", action="store_true", help="give PyTorch its fused AdamW")
    return parser.parse_args()


def selected(names: str) -> list[Row]:
    try:
        return [row_named(name) for name in names.split(",")]
    except KeyError as error:
        refuse(error.args[0], "give `--rows` names with commas between them and no spaces")


def require_packages() -> None:
    """Nobody should wait for a build to learn that torch is missing."""
    for module in ("torch", "flash_pytorch"):
        if importlib.util.find_spec(module) is None:
            refuse(
                f"expected the Python package `{module}`, {sys.executable} has none",
                "run benches/peers/setup.sh, then this with target/peers-venv/bin/python",
            )


def build() -> Path:
    """Builds the program from this checkout."""
    command = ["cargo", "build", "--release"]
    say("+ " + " ".join(command))
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr)
    except FileNotFoundError:
        refuse("expected `cargo` on the path, found none", "install Rust, or name a program with `--mixlab PATH`")
    if done.returncode != 0:
        refuse(f"`cargo build --release` ended with exit code {done.returncode}", "its message stands above")
    # A relative folder is relative to where cargo ran.
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "mixlab"


def program(given: Path | None) -> Path:
    path = given.resolve() if given else build()
    if not path.is_file():
        refuse(f"expected the program at {path}, found nothing", "`--mixlab PATH` names it")
    return path


def figures(command: list[str]) -> dict:
    """Runs a process that prints its figures as JSON, and adds what others took of the machine meanwhile.

    Raises `ProcessFailed`.
    """
    begin = load.now()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    others = load.share_of_others(begin, load.now())
    try:
        if done.returncode == 0:
            return {**json.loads(done.stdout), "share_of_others": others}
        reason = f"exit code {done.returncode}"
    except json.JSONDecodeError:
        reason = "output that is not JSON"
    last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-3:]
    raise ProcessFailed(f"`{' '.join(command)}`: expected figures, got {reason}: {' / '.join(last)}")


def commands(row: Row, mixlab: Path, options: argparse.Namespace) -> dict[str, list[str]]:
    """One command a side."""
    steps = ["--rounds", str(row.steps), "--warm-up", str(row.warm_up)]
    threads = str(options.threads)
    ours = [str(mixlab), "measure", "step", str(row.config), "--json", *steps, "--set", f"run.threads={threads}"]
    eager = [sys.executable, str(HERE / "step.py"), row.name, *steps, "--threads", threads]
    if options.fused_optimizer:
        eager.append("--fused-optimizer")
    sides = {"mixlab": ours, "eager": eager}
    if row.compiled:
        sides["compiled"] = [*eager, "--compile"]
    return sides


def measure(row: Row, mixlab: Path, options: argparse.Namespace) -> dict:
    """All rounds of a row. A process that fails ends the row, not the comparison."""
    sides = commands(row, mixlab, options)
    rounds, failure = [], None
    try:
        for index in range(options.rounds):
            order = list(sides) if index % 2 == 0 else list(reversed(sides))
            measured = {side: figures(sides[side]) for side in order}
            text = ", ".join(f"{side} {measured[side]['median_ms']:.1f} ms" for side in sides)
            say(f"{row.name}, round {index + 1} of {options.rounds}: {text}")
            rounds.append({"order": order, **measured})
    except ProcessFailed as error:
        failure = str(error)
        say(f"{row.name}: {failure}")
    return {"row": row.name, "rounds": rounds, "failure": failure}


def first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip().split("\n")[0]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown processor"


def source() -> str:
    commit = first_line(["git", "rev-parse", "--short", "HEAD"]) or "unknown"
    return commit + (" with changes" if first_line(["git", "status", "--porcelain"]) else "")


def describe(mixlab: Path, options: argparse.Namespace, verdict: Verdict) -> dict:
    """What a reader must know to repeat the figures; what only PyTorch's side knows follows with its first ones."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "instructions": "vector instructions unknown",
        "threads": options.threads,
        "system": f"{platform.system()} {platform.release()}",
        "source": source(),
        # The gate tests this source: it cannot vouch for a program from elsewhere.
        "program": "given by --mixlab, not built here" if options.mixlab else "built from the source",
        "processes": options.rounds,
        "fused_optimizer": options.fused_optimizer,
        "gate": verdict.command,
        "tests": verdict.outcomes,
        "versions": {"mixlab": first_line([str(mixlab), "--version"]).removeprefix("mixlab ")},
    }


def write(path: Path, context: dict, results: list[dict]) -> None:
    path.write_text(json.dumps({"context": context, "rows": results}, indent=1, ensure_ascii=False) + "\n")


def create(path: Path) -> None:
    """A place that cannot be written should be known before an hour of measuring."""
    try:
        path.write_text("")
    except OSError as error:
        refuse(f"cannot write `{path}`: {error.strerror}", "check that the folder exists and is writable")


def main() -> None:
    options = arguments()
    rows = selected(options.rows)
    require_packages()
    if options.json:
        create(options.json)
    mixlab = program(options.mixlab)
    verdict = run_kernel_tests(rows)
    context, results = describe(mixlab, options, verdict), []
    for row in rows:
        objection = verdict.objection(row)
        if objection:
            say(f"{row.name}: no ratio, {objection}")
        results.append({**measure(row, mixlab, options), "objection": objection})
        for measured in results[-1]["rounds"][:1]:
            context["versions"] |= measured["eager"]["versions"]
            context["instructions"] = measured["eager"]["instructions"]
        if options.json:
            write(options.json, context, results)
    print(report.markdown(context, results))
    if any(result["objection"] or result["failure"] for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
