"""From raw figures to Markdown."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from load import DISTURBED
from rows import COMPILE_GOAL, MEMORY_GOAL, Row, row_named

NOTHING = "–"


@dataclass(frozen=True)
class Spread:
    """Median of some figures, with the smallest and the largest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def text(self, form: Callable[[float], str]) -> str:
        return f"{form(self.median)} ({form(self.least)} to {form(self.most)})"


def milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def whole(value: float) -> str:
    return f"{value:,.0f}"


def ratio(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def column(result: dict, side: str, key: str) -> list[float]:
    return [measured[side][key] for measured in result["rounds"]]


def quotients(result: dict, side: str, key: str) -> list[float]:
    """Mixlab's figure over that of `side`, round by round: what disturbed a round disturbed both."""
    pairs = zip(column(result, "mixlab", key), column(result, side, key))
    return [ours / theirs for ours, theirs in pairs]


def table(head: str, align: str, lines: list[list[str]]) -> str:
    rule = "|".join({"l": "---", "r": "--:"}[letter] for letter in align)
    body = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, f"|{rule}|", *body])


def judged(result: dict, side: str, key: str, goal: float) -> list[str]:
    """The ratio, the goal and whether it is met; no ratio where the gate objects."""
    if result["objection"]:
        return [NOTHING, ratio(goal), "not judged"]
    spread = Spread.of(quotients(result, side, key))
    return [spread.text(ratio), ratio(goal), "yes" if spread.median <= goal else "no"]


def times(results: list[dict]) -> str:
    lines = []
    for result in results:
        row = row_named(result["row"])
        sides = [("eager", "", row.goal)] + [("compiled", ", compiled", COMPILE_GOAL)] * row.compiled
        for side, suffix, goal in sides:
            ours, theirs = (Spread.of(column(result, s, "median_ms")).text(milliseconds) for s in ("mixlab", side))
            verdict = judged(result, side, "median_ms", goal)
            if disturbances(result) and not result["objection"]:
                verdict[-1] = "disturbed"
            lines.append([row.name + suffix, ours, theirs, *verdict])
    return table("| row | Mixlab, ms | PyTorch, ms | ratio | goal | met |", "lrrrrl", lines)


def memory(results: list[dict]) -> str:
    lines = []
    for result in results:
        ours, theirs = (Spread.of(column(result, side, "peak_rss_mib")).text(whole) for side in ("mixlab", "eager"))
        imports = whole(statistics.median(column(result, "eager", "after_imports_rss_mib")))
        verdict = judged(result, "eager", "peak_rss_mib", MEMORY_GOAL)
        lines.append([result["row"], ours, theirs, imports, *verdict, without_imports(result)])
    head = "| row | Mixlab, MiB | PyTorch, MiB | of it imports | ratio | goal | met | ratio without imports |"
    return table(head, "lrrrrrlr", lines)


def without_imports(result: dict) -> str:
    """The ratio of memory to what PyTorch's model adds to its libraries: how large those are depends on the build."""
    if result["objection"]:
        return NOTHING
    added = zip(column(result, "eager", "peak_rss_mib"), column(result, "eager", "after_imports_rss_mib"))
    pairs = zip(column(result, "mixlab", "peak_rss_mib"), added)
    return ratio(statistics.median([ours / (peak - imports) for ours, (peak, imports) in pairs]))


def work(results: list[dict]) -> str:
    lines = []
    for result in results:
        first = result["rounds"][0]
        ours, theirs = first["mixlab"], first["eager"]
        rates = [
            Spread.of(column(result, "mixlab", key)).text(form)
            for key, form in (("gflops", whole), ("ceiling_gflops", whole), ("share_of_ceiling", percent))
        ]
        equal = "yes" if ours["parameters"] == theirs["parameters"] else "NO"
        lines.append([result["row"], whole(ours["parameters"]), whole(theirs["parameters"]), equal, *rates])
    head = "| row | parameters, Mixlab | PyTorch | equal | Mixlab, GFLOP/s | ceiling | share |"
    return table(head, "lrrlrrr", lines)


def objections(results: list[dict]) -> list[str]:
    """Why rows have no ratio, no times, or times that should not be trusted."""
    lines = [f"* {r['row']}: no ratio, {r['objection']}." for r in results if r["objection"]]
    lines += [f"* {r['row']}: not measured. {r['failure']}" for r in results if r["failure"]]
    for result in results:
        if shares := disturbances(result):
            lines.append(
                f"* {result['row']}: disturbed. Other processes took up to {percent(max(shares))} of the cores"
                f" during {len(shares)} of its measurements: close them and repeat."
            )
    return lines


def disturbances(result: dict) -> list[float]:
    """What others took of the cores, where it was too much."""
    sides = [side for measured in result["rounds"] for side in measured.values() if isinstance(side, dict)]
    return [side["share_of_others"] for side in sides if (side["share_of_others"] or 0.0) > DISTURBED]


def differences(rows: list[Row]) -> list[str]:
    """Each difference once, with the rows it concerns."""
    concerned: dict[str, list[str]] = {}
    for row in rows:
        for difference in row.differences:
            concerned.setdefault(difference, []).append(row.name)
    everywhere = [text for text, names in concerned.items() if len(names) == len(rows)]
    some = [f"{text} ({', '.join(names)})" for text, names in concerned.items() if len(names) < len(rows)]
    return [f"* {text}" for text in everywhere + some]


def setting(context: dict) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in context["versions"].items())
    optimizer = "fused" if context["fused_optimizer"] else "torch's default loop"
    return [
        f"* {context['date']}, {context['processor']} ({context['instructions']}), {context['threads']} threads on each"
        f" side, {context['system']}",
        f"* {versions}",
        f"* source {context['source']}; program: {context['program']}",
        f"* rounds: {context['processes']}, one process a side in each, the order swapped from one to the next",
        f"* AdamW of PyTorch: {optimizer}",
        f"* gate: `{context['gate']}`",
    ]


def markdown(context: dict, results: list[dict]) -> str:
    """The whole report."""
    measured = [result for result in results if not result["failure"]]
    parts = ["## One update: Mixlab beside PyTorch", "\n".join(setting(context))]
    if measured:
        parts += [
            "Median of the processes' medians (smallest to largest). Ratio: Mixlab over PyTorch, median of the rounds;"
            " below 1 Mixlab is faster.",
            times(measured),
            "Peak resident memory, PyTorch without compilation:",
            memory(measured),
            "Parameters of both sides, and Mixlab's counted arithmetic beside its own matrix product:",
            work(measured),
        ]
    if lines := objections(results):
        parts += ["What is missing or doubtful:", "\n".join(lines)]
    rows = [row_named(result["row"]) for result in results]
    parts += ["What the two sides do differently:", "\n".join(differences(rows))]
    return "\n\n".join(parts)
