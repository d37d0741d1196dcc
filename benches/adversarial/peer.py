"""PyTorch's side of the comparison of adversarial steps, one network a process, printed as one line of JSON.

    python benches/adversarial/peer.py ring
    python benches/adversarial/peer.py convolution --threads 2 --rounds 20

See README.md beside this file.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WARM_UP = 3
LATENT, SLOPE, PENALTY = 64, 0.1, 10.0


class Dense(nn.Linear):
    """An affine map of all numbers of a sample, to `shape` if one is given."""

    def __init__(self, inputs: int, outputs: int, shape: tuple[int, ...] | None = None):
        super().__init__(inputs, outputs)
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x.flatten(1))
        return y if self.shape is None else y.unflatten(1, self.shape)


class Network(nn.Module):
    """Layers one after the other."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.network = nn.ModuleDict({"layers": nn.Sequential(*layers)})

    def forward(self, x: Tensor) -> Tensor:
        return self.network["layers"](x)


def leaky() -> nn.Module:
    return nn.LeakyReLU(SLOPE, inplace=True)


def relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def mlp(inputs: int, outputs: int, activation: Callable[[], nn.Module], width: int) -> Network:
    hidden = [layer for fan in (inputs, width, width) for layer in (Dense(fan, width), activation())]
    return Network(*hidden, Dense(width, outputs))


def convolution_critic() -> Network:
    return Network(
        nn.Conv2d(3, 32, 3, padding=1), leaky(),
        nn.Conv2d(32, 64, 4, stride=2, padding=1), leaky(),
        nn.Conv2d(64, 128, 4, stride=2, padding=1), leaky(),
        Dense(128 * 8 * 8, 1),
    )  # fmt: skip


def convolution_generator() -> Network:
    return Network(
        Dense(LATENT, 128 * 8 * 8, (128, 8, 8)), nn.BatchNorm2d(128), relu(),
        nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1), nn.BatchNorm2d(64), relu(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32), relu(),
        nn.Conv2d(32, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


@dataclass
class Case:
    batch: int
    real: Callable[[int], Tensor]
    critic: Callable[[], Network]
    generator: Callable[[], Network]


def dense(width: int) -> Case:
    return Case(
        batch=256,
        real=lambda batch: torch.randn(batch, 2),
        critic=lambda: mlp(2, 1, leaky, width),
        generator=lambda: mlp(LATENT, 2, relu, width),
    )


CASES = {
    "ring": dense(128),
    "mlp": dense(512),
    "convolution": Case(
        batch=64,
        real=lambda batch: 2 * torch.rand(batch, 3, 32, 32) - 1,
        critic=convolution_critic,
        generator=convolution_generator,
    ),
}


def slopes(f: Tensor, x: Tensor) -> Tensor:
    """‖∇ₓf‖ of every sample, with a graph."""
    (gradient,) = torch.autograd.grad(f.sum(), x, create_graph=True)
    return torch.linalg.vector_norm(gradient.flatten(1), dim=1)


def normalised(critic: Network, x: Tensor) -> Tensor:
    """f/(‖∇ₓf‖ + |f|) of every sample; `x` requires a gradient."""
    f = critic(x).flatten()
    return f / (slopes(f, x) + f.abs())


def gradient_normalisation(critic: Network, real: Tensor, fake: Tensor) -> Tensor:
    of_real, of_fake = normalised(critic, torch.cat([real, fake]).requires_grad_()).chunk(2)
    return of_fake.mean() - of_real.mean()


def gradient_penalty(critic: Network, real: Tensor, fake: Tensor, between: Tensor | None = None) -> Tensor:
    if between is None:
        alpha = torch.rand(len(real), *[1] * (real.dim() - 1))
        between = torch.lerp(fake, real, alpha)
    between.requires_grad_()
    of_real, of_fake = critic(torch.cat([real, fake])).flatten().chunk(2)
    n = slopes(critic(between).flatten(), between)
    return of_fake.mean() - of_real.mean() + PENALTY * (n - 1).square().mean()


def plain(critic: Network, real: Tensor, fake: Tensor) -> Tensor:
    of_real, of_fake = critic(torch.cat([real, fake])).flatten().chunk(2)
    return F.softplus(-of_real).mean() + F.softplus(of_fake).mean()


def generator_normalisation(critic: Network, fake: Tensor) -> Tensor:
    return -normalised(critic, fake).mean()


def adam(network: Network) -> torch.optim.Adam:
    options = {"lr": 2e-4, "betas": (0.0, 0.9)}
    try:
        return torch.optim.Adam(network.parameters(), fused=True, **options)
    except RuntimeError:  # a torch without a fused form for CPUs
        return torch.optim.Adam(network.parameters(), foreach=True, **options)


class Game:
    """A critic and a generator with their optimisers; every step gives its loss."""

    def __init__(self, case: Case):
        torch.manual_seed(1)
        self.batch, self.real = case.batch, case.real(case.batch)
        self.critic, self.generator = case.critic().train(), case.generator().train()
        self.critic_adam, self.generator_adam = adam(self.critic), adam(self.generator)

    def steps(self) -> dict[str, Callable[[], float]]:
        return {
            "critic_gn": lambda: self.critic_step(gradient_normalisation),
            "critic_gp": lambda: self.critic_step(gradient_penalty),
            "generator_gn": self.generator_step,
            "generator_gn_frozen": self.frozen_generator_step,
            "critic_plain": lambda: self.critic_step(plain),
        }

    def critic_step(self, loss_of: Callable[[Network, Tensor, Tensor], Tensor]) -> float:
        with torch.no_grad():
            fake = self.generator(torch.randn(self.batch, LATENT))
        self.critic_adam.zero_grad(set_to_none=True)
        loss = loss_of(self.critic, self.real, fake)
        loss.backward()
        self.critic_adam.step()
        return loss.item()

    def generator_step(self) -> float:
        self.generator_adam.zero_grad(set_to_none=True)
        loss = generator_normalisation(self.critic, self.generator(torch.randn(self.batch, LATENT)))
        loss.backward()
        self.generator_adam.step()
        return loss.item()

    def frozen_generator_step(self) -> float:
        self.critic.requires_grad_(False)
        loss = self.generator_step()
        self.critic.requires_grad_(True)
        return loss


def timed(name: str, step: Callable[[], float]) -> float:
    """Milliseconds of one step."""
    begin = time.perf_counter()
    loss = step()
    elapsed = 1e3 * (time.perf_counter() - begin)
    if not math.isfinite(loss):
        sys.exit(f"error: expected a finite loss of `{name}`, found {loss}")
    return elapsed


def measure(case: Case, rounds: int) -> dict:
    """Times by step. All steps take turns in every round, so that what disturbs the machine disturbs them alike."""
    game = Game(case)
    steps = game.steps()
    times = {name: [] for name in steps}
    for turn in range(WARM_UP + rounds):
        for name, step in steps.items():
            elapsed = timed(name, step)
            if turn >= WARM_UP:
                times[name].append(elapsed)
    form = "fused" if game.critic_adam.defaults["fused"] else "foreach"
    return {"steps": times, "torch": torch.__version__, "threads": torch.get_num_threads(), "adam": form}


def main() -> None:
    parser = argparse.ArgumentParser(description="Adversarial steps in PyTorch.")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--threads", type=int, default=2, help="2 if absent")
    parser.add_argument("--rounds", type=int, default=20, help="steps of each kind under the clock; 20 if absent")
    options = parser.parse_args()
    if options.threads < 1 or options.rounds < 1:
        parser.error("--threads and --rounds are at least 1")
    torch.set_num_threads(options.threads)
    print(json.dumps({"case": options.case, **measure(CASES[options.case], options.rounds)}))


if __name__ == "__main__":
    main()
