"""The gate before the ratios: the kernel tests of each row's operations. A fast wrong answer is not a speed-up."""

import re
import subprocess
import sys
from dataclasses import dataclass

from rows import ROOT, Row

TEST = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED)$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What the tests said."""

    command: str
    exit_code: int
    outcomes: dict[str, bool]
    """Whether each test passed, by name."""
    problem: str | None = None
    """Why there are no outcomes to trust."""

    def objection(self, row: Row) -> str | None:
        """Why there must be no ratio for `row`; `None` if there may be one."""
        if self.problem:
            return self.problem
        for module in row.tests:
            tests = {name: passed for name, passed in self.outcomes.items() if name.startswith(module)}
            # Nothing run is nothing shown: a renamed module must not open the gate.
            if not tests:
                return f"expected tests named `{module}…`, none ran"
            failed = [name for name, passed in tests.items() if not passed]
            if failed:
                return f"{len(failed)} of {len(tests)} tests `{module}…` failed, first `{failed[0]}`"
        return None


def run_kernel_tests(rows: list[Row]) -> Verdict:
    """Runs the tests of all `rows` at once."""
    modules = sorted({module for row in rows for module in row.tests})
    command = ["cargo", "test", "--release", "-p", "mixlab", "-p", "mixlab-kernels", "--", *modules]
    text = " ".join(command)
    print(f"+ {text}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        return Verdict(text, -1, {}, "expected `cargo` on the path, found none: the kernel tests cannot run")
    return judge(text, done.returncode, done.stdout)


def judge(command: str, exit_code: int, output: str) -> Verdict:
    """Reads the output of `cargo test`."""
    outcomes = {name: word == "ok" for name, word in TEST.findall(output)}
    problem = None
    # A build that fails or a test that takes the process with it names no failed test.
    if exit_code != 0 and all(outcomes.values()):
        problem = f"`cargo test` ended with exit code {exit_code} without naming a failed test"
    return Verdict(command, exit_code, outcomes, problem)
