"""Writes the sweeps that compare every mixer at equal multiply-adds, and afterwards the table of the docs.

    python3 benches/equal.py write        # configs/equal/*.toml: sizes by `mixlab plan`
    mixlab sweep configs/equal/causal-128.toml      # and the other three
    python3 benches/equal.py table        # what docs/concepts/without-attention.md shows

Every model is as wide and as deep as the reference. What differs is the inner width, chosen so that a forward pass takes
as many multiply-adds as the reference. All make as many updates, so that whole runs are equal in multiply-adds too; a run
takes about a minute of one core of a server without the newest instructions, and half of that elsewhere.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "target/release/mixlab"
FOLDER = ROOT / "configs/equal"
TASKS = {"causal": "causal_lm", "masked": "masked_lm"}
LENGTHS = (128, 512)
TOKENS = 2048
UPDATES = {128: 360, 512: 260}
REFERENCE = "softmax_attention"
LEARNED = {"model.position.kind": "learned"}
TWO = {"model.mixer.layers_per_block": 2}
# A quarter of the width, as in the published models.
NARROW = {"model.mixer.key_width": 32}
# Name in the table: both directions or only one, keys beside the kind, and the key of its inner width with a first guess.
CHANNEL, MIXER = "model.channel.expansion", "model.mixer.expansion"
ROWS = {
    "softmax_attention": ("causal", {}, CHANNEL, 4.0),
    "linear_attention": ("causal", LEARNED, CHANNEL, 4.0),
    "gau": ("causal", {"model.mixer.normaliser.kind": "softmax", **NARROW, **TWO}, MIXER, 2.0),
    "flash": ("causal", {"model.mixer.chunk": 64, **NARROW, **TWO}, MIXER, 2.0),
    "res_mlp": ("causal", {}, CHANNEL, 4.0),
    "gmlp": ("causal", {}, MIXER, 6.0),
    "amlp": ("causal", {"model.mixer.kind": "gmlp", "model.mixer.attention_width": 64}, MIXER, 5.0),
    "lightweight": ("causal", {"model.mixer.kind": "convolution", "model.mixer.kernels": [15]}, CHANNEL, 4.0),
    "dynamic": (
        "causal",
        {"model.mixer.kind": "convolution", "model.mixer.filters": "dynamic", "model.mixer.kernels": [15]},
        CHANNEL,
        4.0,
    ),
    "synthesizer": ("causal", {}, CHANNEL, 4.0),
    "mlp_mixer": ("masked", {}, CHANNEL, 4.0),
    "ff_only": ("masked", {**LEARNED, "model.mixer.expansion": 1.0}, CHANNEL, 4.0),
    "fnet": ("masked", LEARNED, CHANNEL, 6.0),
    "external_attention": ("masked", LEARNED, CHANNEL, 4.0),
}


def toml(value: object) -> str:
    return json.dumps(value)


def base(task: str, length: int) -> str:
    lines = [
        f"# What every run of {task}-{length}.toml shares.",
        "",
        "[run]",
        "seed = 1",
        "threads = 1",
        "",
        "[data]",
        'train = ["data/austen/emma.txt.gz", "data/austen/mansfield-park.txt.gz", '
        '"data/austen/sense-and-sensibility.txt.gz", "data/pride-and-prejudice.txt"]',
        'evaluate = ["data/austen/northanger-abbey.txt.gz"]',
        "",
        "[tokenizer]",
        'kind = "byte"',
        "",
        "[objective]",
        f'kind = "{TASKS[task]}"',
        "",
        "[model]",
        "width = 128",
        "depth = 4",
        f"max_length = {length}",
        "",
        "[model.mixer]",
        f'kind = "{REFERENCE}"',
        "",
        "[optimizer]",
        'kind = "adamw"',
        "learning_rate = 3e-3",
        "",
        "[schedule]",
        'kind = "cosine"',
        "warmup = 50",
        "",
        "[train]",
        f"steps = {UPDATES[length]}",
        f"batch = {TOKENS // length}",
        f"length = {length}",
        "",
        "[evaluate]",
        "every = 0",
        f"batch = {TOKENS // length}",
        f"stride = {length}",
        "",
        "[checkpoint]",
        "every = 0",
        'model = "last"',
        "",
        "[sample]",
        "every = 0",
    ]
    return "\n".join(lines) + "\n"


def plan(config: Path, keys: dict) -> dict:
    arguments = [argument for key, value in keys.items() for argument in ("--set", f"{key}={toml(value)}")]
    done = subprocess.run([PROGRAM, "plan", config, *arguments, "--json"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: `mixlab plan {config} {' '.join(arguments)}` ended with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def forward(report: dict) -> int:
    parts = report["multiply_adds"]
    return sum(parts[name] for name in ("embedding", "projections", "mixing", "channels", "head"))


def fitted(config: Path, keys: dict, inner: str, guess: float, wanted: int) -> tuple[dict, dict]:
    """Keys with an inner width at which a forward pass takes `wanted` multiply-adds, and the plan of that."""

    def at(expansion: float) -> dict:
        return plan(config, {**keys, inner: expansion})

    # Linear in the inner width: two counts give the third.
    low, high = guess / 2, guess
    counts = forward(at(low)), forward(at(high))
    slope = (counts[1] - counts[0]) / (high - low)
    # A multiple of 8 channels at width 128.
    expansion = round((high + (wanted - counts[1]) / slope) * 16) / 16
    if expansion <= 0:
        sys.exit(f"error: {keys} takes more than {wanted} multiply-adds at any inner width")
    chosen = {**keys, inner: expansion}
    return chosen, plan(config, chosen)


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for task in TASKS:
        for length in LENGTHS:
            common = FOLDER / f"base-{task}-{length}.toml"
            common.write_text(base(task, length))
            wanted = forward(plan(common, {"model.mixer.kind": REFERENCE}))
            options = []
            for name, (direction, extra, inner, guess) in ROWS.items():
                if task == "causal" and direction != "causal":
                    continue
                kind = extra.get("model.mixer.kind", name)
                keys = {"model.mixer.kind": kind, **extra}
                if inner == CHANNEL:
                    keys["model.channel.kind"] = "mlp"
                keys, report = fitted(common, keys, inner, guess, wanted)
                off = forward(report) / wanted - 1
                print(
                    f"{task}-{length} {name:20} {inner} {keys[inner]:7.4f}  {off:+.2%}  "
                    f"{report['milliseconds']:6.1f} ms",
                    flush=True,
                )
                sets = ", ".join(f"{key} = {toml(value)}" for key, value in keys.items())
                options.append(f'    {{ name = "{name}", set = {{ {sets} }} }},')
            (FOLDER / f"{task}-{length}.toml").write_text(sweep(task, length, wanted, options))


def sweep(task: str, length: int, wanted: int, options: list[str]) -> str:
    return "\n".join(
        [
            f"# Every mixer that can be {'causal' if task == 'causal' else 'trained on hidden bytes'}, at {length} bytes: "
            "equal width, depth, updates and",
            f"# multiply-adds ({wanted / TOKENS / 1e6:.2f} million a byte, forward), about a minute of one core. "
            "Written by benches/equal.py.",
            "#",
            f"#   cargo run --release -- sweep configs/equal/{task}-{length}.toml",
            "",
            f'title = "{"Causal" if task == "causal" else "Masked"} language models of bytes, rows of {length}, '
            'equal multiply-adds"',
            f'base = "configs/equal/base-{task}-{length}.toml"',
            f'out = "runs/equal/{task}-{length}"',
            "seeds = [1, 2, 3]",
            'metrics = ["' + ("bits_per_byte" if task == "causal" else "eval_loss") + '"]',
            "",
            "[[axis]]",
            'name = "mixer"',
            "options = [",
            *options,
            "]",
            "",
        ]
    )


def table() -> None:
    """Mean and sample standard deviation of the first metric of every sweep that has begun; failures are told."""
    names = [f"{task}-{length}" for task in TASKS for length in LENGTHS]
    cells: dict[str, dict[str, str]] = {}
    for name in names:
        path = ROOT / "runs/equal" / name / "table.json"
        if not path.exists():
            continue
        for row in json.loads(path.read_text())["rows"]:
            summary = row["columns"][0]["summary"]
            shown = "–"
            if summary:
                deviation = summary["deviation"]
                shown = f"{summary['mean']:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")
                shown += "" if row["finished"] == 3 else f" (n = {row['finished']})"
            if row["failed"]:
                shown += f", {row['failed']} failed"
            cells.setdefault(row["coordinates"][0], {})[name] = shown
    if not cells:
        sys.exit("error: no sweep of configs/equal has run\nhint: mixlab sweep configs/equal/causal-128.toml")
    print("| mixer | " + " | ".join(names) + " |")
    print("|---|" + "--:|" * len(names))
    for mixer, found in cells.items():
        print(f"| `{mixer}` | " + " | ".join(found.get(name, "–") for name in names) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compares every mixer at equal multiply-adds.")
    parser.add_argument("what", choices=["write", "table"], help="the sweeps beforehand, or the table afterwards")
    if parser.parse_args().what == "write":
        write()
    else:
        table()
