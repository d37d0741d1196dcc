"""Mixlab beside sentence-transformers with MiniLM-L6: an update with cached gradients, and embedding sentences.

    target/embeddings-venv/bin/python benches/embeddings/compare.py

See README.md beside this file. Exits with 1 if a goal is missed: 0.67 of the time of either, half the memory of an update, embeddings equal to
1e-5, also those of the exported model read by sentence-transformers.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("peer.py")
PAIRS, SENTENCES = 512, 2000
TIME, MEMORY, EQUAL = 0.67, 0.5, 1e-5

CONFIG = """
run.threads = 2
data = {{ train = ["{pairs}"], source_field = "a", target_field = "b" }}
optimizer = {{ kind = "adamw", learning_rate = 2e-5 }}
train = {{ batch = 512, length = 32 }}

[objective]
kind = "contrastive"
temperature = {{ kind = "fixed", value = 0.05 }}
chunk = 32
mask_same = false
"""


def ran(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: `{' '.join(map(str, command))}` ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def peer(*arguments: object) -> dict:
    return json.loads(ran(sys.executable, PEER, *arguments).splitlines()[-1])


def embedded(mixlab: Path, model: Path, sentences: Path, out: Path) -> dict:
    """The whole program, from its start to the file, with its peak memory."""
    out.unlink(missing_ok=True)
    command = [mixlab, "embed", model, sentences, "--out", out]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    milliseconds = 1e3 * (time.perf_counter() - begin)
    if status != 0:
        sys.exit(f"error: {command} failed")
    return {"milliseconds": milliseconds, "peak_mib": usage.ru_maxrss / 1024}


def verses(folder: Path) -> tuple[Path, Path]:
    lines = gzip.decompress((ROOT / "data/verses/train.tsv.gz").read_bytes()).decode().splitlines()
    pairs, sentences = folder / "pairs.tsv", folder / "sentences.txt"
    pairs.write_text("\n".join(line.split("\t", 1)[1] for line in lines[: PAIRS + 1]) + "\n")
    texts = [line.split("\t")[1] for line in lines[1 : SENTENCES + 1]]
    sentences.write_text("\n".join(texts) + "\n")
    return pairs, sentences


def row(name: str, ours: list[float], theirs: list[float], unit: str, goal: float) -> bool:
    ratios = [a / b for a, b in zip(ours, theirs)]
    ratio = statistics.median(ratios)
    print(
        f"{name:24} {statistics.median(ours):9.0f} {statistics.median(theirs):9.0f} {unit:4}"
        f" {ratio:6.2f} ({min(ratios):.2f}-{max(ratios):.2f}), goal {goal}",
        flush=True,
    )
    return ratio <= goal


def difference(ours: Path, theirs: Path) -> float:
    return float(numpy.abs(numpy.load(ours) - numpy.load(theirs)).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="Mixlab beside sentence-transformers.")
    parser.add_argument("--rounds", type=int, default=3, help="processes a side")
    parser.add_argument("--mixlab", type=Path, default=ROOT / "target/release/mixlab")
    options = parser.parse_args()
    held = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pairs, sentences = verses(folder)
        model, exported = folder / "minilm", folder / "exported"
        ran(options.mixlab, "import", peer("model")["model"], "--out", model)
        ran(options.mixlab, "export", model, "--out", exported)
        config = folder / "update.toml"
        config.write_text(CONFIG.format(pairs=pairs))
        ours, theirs = folder / "ours.npy", folder / "theirs.npy"
        measure = [options.mixlab, "measure", "step", model / "finetune.toml", config, "--warm-up", 1, "--rounds", 3, "--json"]
        found = {"steps": ([], []), "embeddings": ([], [])}
        for turn in range(options.rounds):
            for side in (0, 1) if turn % 2 == 0 else (1, 0):
                step = peer("step", pairs) if side else json.loads(ran(*measure))
                found["steps"][side].append((step.get("milliseconds") or step["median_ms"], step.get("peak_mib") or step["peak_rss_mib"]))
                embed = peer("encode", sentences, theirs) if side else embedded(options.mixlab, model, sentences, ours)
                found["embeddings"][side].append((embed["milliseconds"], embed["peak_mib"]))
        print(f"{'':24} {'Mixlab':>9} {'theirs':>9}       ratio")
        for what, name in [("steps", "update of 512 pairs"), ("embeddings", f"{SENTENCES} sentences")]:
            of = [[[value[i] for value in side] for side in found[what]] for i in (0, 1)]
            held.append(row(name, *of[0], "ms", TIME))
            memory = row(f"{name}, memory", *of[1], "MiB", MEMORY)
            held.append(memory or what != "steps")
        off = difference(ours, theirs)
        peer("read", exported, sentences, folder / "exported.npy")
        back = difference(folder / "exported.npy", theirs)
        print(f"\nembeddings differ by {off:.1e} at most; those of the exported model, read by sentence-transformers, by {back:.1e}")
        held += [off <= EQUAL, back <= EQUAL]
    if not all(held):
        sys.exit(1)


if __name__ == "__main__":
    main()
