"""Mixlab beside PyTorch: updates of a critic and of a generator whose loss has a gradient of a sample in it.

    target/adversarial-venv/bin/python benches/adversarial/compare.py

See README.md beside this file. Exits with 1 if a goal is missed: 0.67 of PyTorch's time for the critic under gradient normalisation and under a
gradient penalty, half of it for the generator differentiated twice.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("peer.py")
GOALS = {"critic_gn": 0.67, "critic_gp": 0.67, "generator_gn": 0.5}
IMAGES = 640

OPTIMIZER = """
[optimizer]
kind = "adamw"
learning_rate = 2e-4
beta1 = 0.0
beta2 = 0.9
weight_decay = 0.0

[schedule]
kind = "constant"
warmup = 0
"""

OBJECTIVE = """
[run]
threads = {threads}

[objective]
kind = "adversarial"
loss = "{loss}"
critic_steps = 1
latent = 64
constraint = {constraint}
"""

DENSE = """
generator = { kind = "mlp", width = WIDTH, depth = 3 }
critic = { kind = "mlp", width = WIDTH, depth = 3, activation = { kind = "leaky_relu", slope = 0.1 } }

[train]
steps = 100000
batch = 256
clip = 0.0

[data]
points = "eight_gaussians"
"""

NETWORKS = {
    "ring": DENSE.replace("WIDTH", "128"),
    "mlp": DENSE.replace("WIDTH", "512"),
    "convolution": """
generator = { kind = "convolution", width = 32, stages = 2 }
critic = { kind = "convolution", width = 32, stages = 2, activation = { kind = "leaky_relu", slope = 0.1 } }

[train]
steps = 100000
batch = 64
clip = 0.0

[data]
train = ["IMAGES"]
format = "cifar10"
evaluate_fraction = 0.0
""",
}

STEPS = {
    "critic_gn": ("wasserstein", '{ kind = "gradient_normalisation" }'),
    "critic_gp": ("wasserstein", '{ kind = "gradient_penalty", weight = 10.0 }'),
    "critic_plain": ("non_saturating", '{ kind = "none" }'),
}


def ran(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: `{' '.join(map(str, command))}` ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def images(path: Path) -> None:
    """Random pixels as records of CIFAR-10: time does not depend on what they show."""
    draw = random.Random(1)
    path.write_bytes(b"".join(bytes([i % 10]) + draw.randbytes(3072) for i in range(IMAGES)))


def ours(mixlab: Path, config: Path, rounds: int) -> dict[str, list[float]]:
    report = json.loads(ran(mixlab, "measure", "turns", config, "--rounds", rounds, "--json"))
    return {player: report[player]["all_ms"] for player in ("critic", "generator")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixlab", type=Path, default=ROOT / "target/release/mixlab")
    parser.add_argument("--turns", type=int, default=3, help="how often each side is started, in turn")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of a start")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    missed = False
    print("| case | step | Mixlab, ms | PyTorch, ms | ratio |\n|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        images(Path(folder, "images.bin"))
        for case, networks in NETWORKS.items():
            configs = {}
            for step, (loss, constraint) in STEPS.items():
                text = OBJECTIVE.format(threads=arguments.threads, loss=loss, constraint=constraint)
                text += networks.replace("IMAGES", str(Path(folder, "images.bin"))) + OPTIMIZER
                configs[step] = Path(folder, f"{case}-{step}.toml")
                configs[step].write_text(text)
            rows: dict[str, list[tuple[float, float]]] = {}
            for _ in range(arguments.turns):
                own: dict[str, float] = {}
                for step, config in configs.items():
                    times = ours(arguments.mixlab, config, arguments.rounds)
                    own[step] = statistics.median(times["critic"])
                    if step == "critic_gn":
                        own["generator_gn"] = own["generator_gn_frozen"] = statistics.median(times["generator"])
                command = [sys.executable, PEER, case, "--threads", arguments.threads, "--rounds", arguments.rounds]
                theirs = json.loads(ran(*command).splitlines()[-1])["steps"]
                for step, times in theirs.items():
                    rows.setdefault(step, []).append((own[step], statistics.median(times)))
            for step, pairs in rows.items():
                ratios = sorted(a / b for a, b in pairs)
                middle = statistics.median(ratios)
                a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
                print(f"| {case} | `{step}` | {a:.1f} | {b:.1f} | {middle:.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) |")
                missed |= step in GOALS and middle > GOALS[step]
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
