"""What a model of a fixed length loses at other lengths, by what is done with its weights.

    python3 benches/lengths.py > target/lengths.md

Trains `configs/lengths.toml` once, then measures the same weights at several lengths under every length policy. Prints
the mean loss at hidden tokens in nats; a dash where the policy refuses the length.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "target/release/mixlab"
RUN = ROOT / "target/lengths"
POLICIES = ("refuse", "truncate", "pad", "block_diagonal", "interpolate", "toeplitz")
LENGTHS = (32, 64, 96, 128, 192, 256)


def loss(policy: str, length: int) -> float | None:
    """Of the trained weights; `None` if the policy refuses the length."""
    model = RUN / "other"
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(RUN / "run/model", model)
    path = model / "config.json"
    config = json.loads(path.read_text())
    config["model"]["mixer"]["length"] = policy
    config["length"] = length
    path.write_text(json.dumps(config))
    command = [PROGRAM, "eval", model, RUN / "text.txt", "--stride", str(length), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 2 and "sequence length" in done.stderr:
        return None
    if done.returncode != 0:
        sys.exit(f"error: `{' '.join(map(str, command))}` ended with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)["loss"]


def held_out() -> str:
    text = (ROOT / "data/pride-and-prejudice.txt").read_text()
    return text[-len(text) // 10 :]


def main() -> None:
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    (RUN / "text.txt").write_text(held_out())
    subprocess.run([PROGRAM, "train", "configs/lengths.toml", "--out", RUN / "run"], cwd=ROOT, check=True)
    print("| policy | " + " | ".join(map(str, LENGTHS)) + " |")
    print("|---|" + "--:|" * len(LENGTHS))
    for policy in POLICIES:
        cells = [loss(policy, length) for length in LENGTHS]
        shown = ["–" if cell is None else f"{cell:.3f}" for cell in cells]
        print(f"| `{policy}` | " + " | ".join(shown) + " |", flush=True)


if __name__ == "__main__":
    main()
