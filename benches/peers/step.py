"""Times the updates of one row in PyTorch and prints one JSON line, with the keys of `mixlab measure step --json`.

A process measures one row once: what another row left in caches and in the peak of memory must not count.
"""

import argparse
import json
import math
import platform
import resource
import statistics
import sys
import time
import warnings
from importlib.metadata import version

# torch says so while it is imported; nothing here needs NumPy.
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import models
from options import at_least
from rows import ROWS, Row, Sizes, row_named, sizes

PACKAGES = ("FLASH-pytorch", "g-mlp-pytorch", "rotary-embedding-torch", "einops")


def peak_rss_mib() -> float:
    """Highest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def count_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def loss_of(model: nn.Module, tokens: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())


def make_update(row: Row, size: Sizes, options: argparse.Namespace):
    """The model and a function that makes one update of it and gives the loss."""
    torch.manual_seed(1)
    model = getattr(models, row.model)(size).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=3e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01,
        fused=True if options.fused_optimizer else None,
    )
    tokens, targets = torch.randint(size.vocabulary, (2, size.batch, size.length))
    loss_function = torch.compile(loss_of) if options.compile else loss_of

    def update() -> float:
        loss = loss_function(model, tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return model, update


def timed(update) -> float:
    """Milliseconds of one update."""
    begin = time.perf_counter()
    loss = update()
    elapsed = 1e3 * (time.perf_counter() - begin)
    if not math.isfinite(loss):
        sys.exit(f"error: expected a finite loss, found {loss}\nhint: no time of such a model means anything")
    return elapsed


def measure(row: Row, options: argparse.Namespace) -> dict:
    after_imports = peak_rss_mib()
    torch.set_num_threads(options.threads)
    size = sizes(row)
    model, update = make_update(row, size, options)
    for _ in range(options.warm_up):
        timed(update)
    times = [timed(update) for _ in range(options.rounds)]
    median = statistics.median(times)
    return {
        "median_ms": median,
        "min_ms": min(times),
        "max_ms": max(times),
        "tokens_per_second": 1e3 * size.batch * size.length / median,
        "peak_rss_mib": peak_rss_mib(),
        "parameters": count_parameters(model),
        "vocabulary": size.vocabulary,
        "rounds": options.rounds,
        "after_imports_rss_mib": after_imports,
        "threads": torch.get_num_threads(),
        "compiled": options.compile,
        "fused_optimizer": options.fused_optimizer,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Torch's own word for its version tells builds with GPU libraries from others."""
    packages = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "torch": torch.__version__, **packages}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times the updates of one row in PyTorch.")
    parser.add_argument("row", help=", ".join(row.name for row in ROWS))
    parser.add_argument("--rounds", type=at_least(1), help="updates that are timed; the row's own number if absent")
    parser.add_argument("--warm-up", type=at_least(0), help="updates before the clock starts; likewise")
    parser.add_argument("--threads", type=at_least(1), default=2, help="2 if absent")
    parser.add_argument("--compile", action="store_true", help="forward, loss and backward by torch.compile")
    parser.add_argument("--fused-optimizer", action="store_true", help="AdamW with fused=True")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    try:
        row = row_named(options.row)
    except KeyError as error:
        print(f"error: {error.args[0]}\nhint: `--help` lists the rows", file=sys.stderr)
        sys.exit(2)
    if options.rounds is None:
        options.rounds = row.steps
    if options.warm_up is None:
        options.warm_up = row.warm_up
    print(json.dumps(measure(row, options)))


if __name__ == "__main__":
    main()
