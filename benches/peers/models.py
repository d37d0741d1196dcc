"""The models of PyTorch's side: pre-norm causal language models.

A row is one function here, from sizes to a model, and one entry in `rows.py`. Shapes: b rows, n positions, d channels.
"""

import torch
import torch.nn.functional as F
from flash_pytorch import FLASH, GAU
from flash_pytorch.flash_pytorch import ScaledSinuEmbedding
from g_mlp_pytorch.g_mlp_pytorch import gMLPBlock
from rotary_embedding_torch import RotaryEmbedding
from torch import Tensor, nn

from rows import Sizes

HEADS = 4
KEY_WIDTH = 128
EXPANSION = 2.0
CHUNK = 256
ROTATED = 32


class LanguageModel(nn.Module):
    """Embedding, layers, final norm, head of its own: token ids `[b, n]` to logits `[b, n, vocabulary]`."""

    def __init__(self, sizes: Sizes, layers: list[nn.Module], position: nn.Module | None = None):
        super().__init__()
        self.token = nn.Embedding(sizes.vocabulary, sizes.width)
        self.position = position
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, sizes.vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token(tokens)
        if self.position is not None:
            x = x + self.position(x)
        return self.head(self.norm(self.layers(x)))


class LearnedPosition(nn.Module):
    def __init__(self, length: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(length, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight[: x.shape[1]]


class Residual(nn.Module):
    """x + branch(norm(x))."""

    def __init__(self, width: int, branch: nn.Module):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(self.norm(x))


class CausalAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.input = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        parts = self.input(x).view(b, n, 3, self.heads, d // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # [b, heads, n, d / heads] each
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.output(y.transpose(1, 2).reshape(b, n, d))


def softmax_attention(sizes: Sizes) -> nn.Module:
    """Softmax attention and an MLP of four times the width in each block."""
    width = sizes.width
    layers: list[nn.Module] = []
    for _ in range(sizes.depth):
        mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        layers += [Residual(width, CausalAttention(width, HEADS)), Residual(width, mlp)]
    return LanguageModel(sizes, layers, LearnedPosition(sizes.length, width))


def gmlp(sizes: Sizes) -> nn.Module:
    """Causal gMLP blocks of the package, without attention; the norm before a block and its residual are ours."""
    layers: list[nn.Module] = [
        Residual(sizes.width, gMLPBlock(dim=sizes.width, dim_ff=6 * sizes.width, seq_len=sizes.length, causal=True))
        for _ in range(sizes.depth)
    ]
    return LanguageModel(sizes, layers)


class FourierMixing(nn.Module):
    """As transformers' FNet computes it: a complex transform over both axes, of which the real part is kept."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fftn(x, dim=(1, 2)).real


def fnet(sizes: Sizes) -> nn.Module:
    """Fourier mixing and an MLP of four times the width in each block."""
    width = sizes.width
    layers: list[nn.Module] = []
    for _ in range(sizes.depth):
        mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        layers += [Residual(width, FourierMixing()), Residual(width, mlp)]
    return LanguageModel(sizes, layers, LearnedPosition(sizes.length, width))


def gau(sizes: Sizes) -> nn.Module:
    """Gated attention units. A layer of the package norms its input and adds the residual itself."""
    layers = [
        GAU(dim=sizes.width, query_key_dim=KEY_WIDTH, expansion_factor=EXPANSION, causal=True)
        for _ in range(sizes.depth)
    ]
    return LanguageModel(sizes, layers)


def flash(sizes: Sizes) -> nn.Module:
    """FLASH as the package's own transformer is put together, but with LayerNorm and without its shift of tokens. A
    layer of the package norms its input and adds the residual itself."""
    rotary = RotaryEmbedding(dim=ROTATED)  # one for all layers: it has no parameters to train
    layers = [
        FLASH(
            dim=sizes.width, group_size=CHUNK, query_key_dim=KEY_WIDTH, expansion_factor=EXPANSION, causal=True,
            rotary_pos_emb=rotary, norm_klass=nn.LayerNorm, shift_tokens=False,
        )
        for _ in range(sizes.depth)
    ]
    return LanguageModel(sizes, layers, ScaledSinuEmbedding(sizes.width))
