"""The rows of the comparison: what each one measures, what it should reach, and what the two sides do differently.

Only the standard library is imported here: `compare.py` must stay small, because the system counts the memory of a
process from the moment it is forked.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MEMORY_GOAL = 0.5
COMPILE_GOAL = 0.8


@dataclass(frozen=True)
class Row:
    """One config of `configs/bench` and the model of `models.py` that does the same work."""

    name: str
    """Also the name of the config."""
    model: str
    """A function of `models.py`."""
    goal: float
    """Mixlab's time over PyTorch's that is to be reached."""
    tests: tuple[str, ...]
    """Modules of `crates/kernels` whose tests must pass before a ratio is printed."""
    differences: tuple[str, ...]
    """Whatever the two sides do not do alike."""
    compiled: bool = False
    """Whether PyTorch is also measured under `torch.compile`."""
    steps: int = 10
    """Timed updates of a process."""
    warm_up: int = 3
    """Updates before the clock starts."""

    @property
    def config(self) -> Path:
        return Path("configs/bench") / f"{self.name}.toml"


@dataclass(frozen=True)
class Sizes:
    """What a config says about both sides."""

    vocabulary: int
    width: int
    depth: int
    batch: int
    length: int


def sizes(row: Row) -> Sizes:
    """Read from the config itself, so that the two sides cannot drift apart."""
    config = tomllib.loads((ROOT / row.config).read_text())
    return Sizes(
        vocabulary=config["tokenizer"]["vocabulary"],
        width=config["model"]["width"],
        depth=config["model"]["depth"],
        batch=config["train"]["batch"],
        length=config["train"]["length"],
    )


EVERY_MODEL = (
    "cpu::", "tiled::", "embedding::", "linear::", "activation::", "norm::", "cross_entropy::", "optimizer::",
)
SOFTMAX_TESTS = ("softmax_attention::", *EVERY_MODEL)
GATED_TESTS = ("gated::", "affine_rotary::", *EVERY_MODEL)
GMLP_TESTS = ("token_linear::", *GATED_TESTS)
FNET_TESTS = ("fourier_mix::", *EVERY_MODEL)
GAU_TESTS = ("score_attention::", *GATED_TESTS)
FLASH_TESTS = ("mixed_chunk_attention::", "rotary::", *GATED_TESTS)

EVERYWHERE = (
    "Batch: Mixlab draws new rows from tokenized text within each timed update; PyTorch reuses one random batch.",
    "Loss: Mixlab fuses the cross-entropy with the output projection and never holds all logits; PyTorch makes all"
    " logits and their gradient.",
    "Optimiser: AdamW at 3e-4 on both sides. Mixlab has β₂ = 0.98 and decays the blocks' matrices by 0.1; PyTorch has"
    " its defaults, β₂ = 0.999 and a decay of 0.01 everywhere. The arithmetic is the same but for the decay.",
    "Checks: Mixlab also takes the global norm of each gradient, to skip a harmful update; PyTorch does not.",
    "First values: each side draws its own; no kernel's work depends on them.",
    "Memory: peak of the whole process. Mixlab's includes the text and learning a vocabulary from it, PyTorch's the"
    " interpreter and its libraries. A build with GPU libraries takes more, hence the ratio without imports.",
    "Allocator: each side has its own: mimalloc is part of Mixlab's program, PyTorch takes the system's.",
)
SOFTMAX = (
    "Projections: Mixlab makes queries, keys and values with three matrices, PyTorch with one three times as wide.",
)
GATED = (
    "Causality: FLASH-pytorch computes all scores, of the sequence in GAU and of a chunk in FLASH, and then hides later"
    " keys; Mixlab leaves out what is hidden.",
    "Bias: FLASH-pytorch looks up its T5 bias for every pair of positions it scores, in every layer; the look-up's"
    " backward pass is among the largest operations of GAU at 4096. Mixlab looks up one value an offset.",
    "Projections: FLASH-pytorch has one matrix for values and gate and one for queries and keys; Mixlab stores them as"
    " one matrix and multiplies by its parts.",
)
GMLP = (
    "Causality: g-mlp-pytorch hides the weights above the diagonal and multiplies by the whole matrix; Mixlab leaves out"
    " what is hidden.",
)
FNET = (
    "Transform: PyTorch computes the complex transform over both axes and keeps the real part, as transformers' FNet"
    " does; Mixlab computes real transforms.",
    "Hidden tokens: Mixlab replaces each token by a mask token, a random one or itself before an update, as masked"
    " language models do; PyTorch reads random tokens as they are.",
)
GAU = (
    *GATED,
    "Divisor of the bias: FLASH-pytorch's GAU always adds its T5 bias, whatever `rel_pos_bias` says, and divides it by"
    " n together with the scores; Mixlab adds the bias after the division.",
)
FLASH = (
    *GATED,
    "Divisor between chunks: FLASH-pytorch divides by the chunk length, Mixlab by the number of tokens summed.",
    "Scale of the T5 bias: √128 in FLASH-pytorch, 11.3 in the config.",
)
ONE_CHUNK = (
    "One chunk: nothing comes before it. FLASH-pytorch still sums keys and values and multiplies the queries by zeros;"
    " Mixlab does neither.",
)

ROWS = (
    Row("softmax-256", "softmax_attention", 0.70, SOFTMAX_TESTS, (*EVERYWHERE, *SOFTMAX), compiled=True),
    Row("gmlp-256", "gmlp", 0.70, GMLP_TESTS, (*EVERYWHERE, *GMLP)),
    Row("fnet-256", "fnet", 0.70, FNET_TESTS, (*EVERYWHERE, *FNET)),
    Row("gau-256", "gau", 0.67, GAU_TESTS, (*EVERYWHERE, *GAU), compiled=True),
    Row("flash-256", "flash", 0.60, FLASH_TESTS, (*EVERYWHERE, *FLASH, *ONE_CHUNK)),
    Row("softmax-4096", "softmax_attention", 0.85, SOFTMAX_TESTS, (*EVERYWHERE, *SOFTMAX)),
    Row("flash-4096", "flash", 0.67, FLASH_TESTS, (*EVERYWHERE, *FLASH), compiled=True),
    # An update takes PyTorch about 20 s: three of them a process must do.
    Row("gau-4096", "gau", 0.10, GAU_TESTS, (*EVERYWHERE, *GAU), steps=2, warm_up=1),
)


def row_named(name: str) -> Row:
    """
    Raises `KeyError` with a message for the user.
    """
    for row in ROWS:
        if row.name == name:
            return row
    names = ", ".join(row.name for row in ROWS)
    raise KeyError(f"expected a row, one of {names}; found `{name}`")
