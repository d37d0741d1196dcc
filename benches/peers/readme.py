"""Puts the table of a comparison into the README, between its markers, from the figures that `compare.py --json` wrote.

    python3 benches/peers/readme.py target/peers.json

Nothing is typed by hand: a table that no run made cannot get there.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NoReturn

from report import NOTHING, Spread, column, disturbances, milliseconds, percent, quotients, ratio, table, whole
from rows import ROOT, row_named, sizes

BEGIN, END = "<!-- peers: written by benches/peers/readme.py -->", "<!-- /peers -->"


def refuse(message: str, hint: str) -> NoReturn:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    sys.exit(2)


def compared(result: dict, side: str, key: str) -> str:
    """Median ratio with the smallest and the largest round; nothing where the kernel tests were red."""
    return NOTHING if result["objection"] else Spread.of(quotients(result, side, key)).text(ratio).replace(" to ", "–")


def middle(result: dict, side: str, key: str) -> float:
    return Spread.of(column(result, side, key)).median


def line(result: dict) -> list[str]:
    row = row_named(result["row"])
    size = sizes(row)
    compiled = [NOTHING, NOTHING]
    if row.compiled:
        compiled = [milliseconds(middle(result, "compiled", "median_ms")), compared(result, "compiled", "median_ms")]
    memory = [whole(middle(result, side, "peak_rss_mib")) for side in ("mixlab", "eager")]
    return [
        f"`{row.name}`" + (" (disturbed)" if disturbances(result) else ""),
        f"{size.batch} × {size.length}",
        milliseconds(middle(result, "mixlab", "median_ms")),
        milliseconds(middle(result, "eager", "median_ms")),
        compared(result, "eager", "median_ms"),
        *compiled,
        " / ".join(memory),
        compared(result, "eager", "peak_rss_mib"),
        percent(middle(result, "mixlab", "share_of_ceiling")),
    ]


def block(figures: dict) -> str:
    """The table and what it was measured with."""
    context = figures["context"]
    head = (
        "| config | batch × length | Mixlab, ms | PyTorch, ms | ratio | compiled, ms | ratio"
        " | peak memory, MiB | ratio | of ceiling |"
    )
    lines = [line(result) for result in figures["rows"] if result["rounds"] and not result["failure"]]
    versions = context["versions"]
    packages = ", ".join(f"{name} {versions[name]}" for name in ("torch", "FLASH-pytorch") if name in versions)
    setting = (
        f"{context['date']}, {context['processor']} ({context['instructions']}), {context['threads']} threads,"
        f" {context['processes']} rounds, Mixlab {versions['mixlab']} at {context['source']}, {packages}."
    )
    return "\n\n".join([table(head, "llrrrrrrrr", lines), setting])


def replaced(text: str, new: str) -> str:
    """`text` with what stands between the markers replaced.

    Raises `ValueError` if there is not exactly one pair of markers.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"expected one `{BEGIN}` and one `{END}` after it")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Puts the table of a comparison into the README.")
    parser.add_argument("figures", type=Path, help="what `compare.py --json` wrote")
    options = parser.parse_args()
    readme = ROOT / "README.md"
    try:
        figures = json.loads(options.figures.read_text())
        readme.write_text(replaced(readme.read_text(), block(figures)))
    except (OSError, KeyError, ValueError) as error:
        refuse(f"cannot put `{options.figures}` into the README: {error!r}", "run compare.py with `--json` to the end")


if __name__ == "__main__":
    main()
