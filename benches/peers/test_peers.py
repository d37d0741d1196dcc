"""Tests of what needs neither torch nor a build: `python3 -m unittest discover benches/peers`."""

import unittest

import readme
import report
from gate import judge
from rows import ROWS, row_named, sizes

ROW = row_named("softmax-256")
GREEN = "".join(f"test {module}tests::a_name ... ok\n" for module in ROW.tests)


class Gate(unittest.TestCase):
    def objection(self, exit_code: int, output: str) -> str | None:
        return judge("cargo test", exit_code, output).objection(ROW)

    def test_green(self):
        self.assertIsNone(self.objection(0, GREEN))

    def test_a_failed_test_closes_the_gate_for_its_rows_only(self):
        red = "test softmax_attention::tests::b ... FAILED\n"
        self.assertIn("softmax_attention::tests::b", self.objection(101, GREEN + red))
        self.assertIsNone(self.objection(101, GREEN + red.replace("softmax", "score")))

    def test_a_failed_test_that_should_panic(self):
        self.assertIn("failed", self.objection(101, GREEN + "test norm::tests::b - should panic ... FAILED\n"))

    def test_a_module_without_tests(self):
        self.assertIn("optimizer::", self.objection(0, GREEN.replace("test optimizer::", "test optimiser::")))

    def test_a_name_that_only_contains_the_module(self):
        self.assertIn("norm::", self.objection(0, GREEN.replace("test norm::", "test layer::norm::")))

    def test_ignored_is_not_passed(self):
        self.assertIn("none ran", self.objection(0, GREEN.replace("a_name ... ok", "a_name ... ignored")))

    def test_a_build_that_fails(self):
        self.assertIn("exit code 101", self.objection(101, ""))

    def test_a_process_that_dies_after_tests_that_passed(self):
        self.assertIn("exit code 101", self.objection(101, GREEN))


def result(row: str, objection: str | None, others: float = 0.0) -> dict:
    """Two rounds: half the time of eager PyTorch, then a quarter."""

    def side(median: float, memory: float) -> dict:
        return {
            "median_ms": median, "peak_rss_mib": memory, "parameters": 12, "after_imports_rss_mib": 100.0,
            "gflops": 90.0, "ceiling_gflops": 300.0, "share_of_ceiling": 0.3, "share_of_others": others,
        }

    rounds = [
        {"mixlab": side(50.0, 300.0), "eager": side(theirs, 400.0), "compiled": side(60.0, 400.0)}
        for theirs in (100.0, 200.0)
    ]
    return {"row": row, "rounds": rounds, "failure": None, "objection": objection}


class Readme(unittest.TestCase):
    def test_only_what_stands_between_the_markers_changes(self):
        text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter"
        self.assertEqual(readme.replaced(text, "new"), f"before\n{readme.BEGIN}\n\nnew\n\n{readme.END}\nafter")
        for wrong in ("none", readme.END + readme.BEGIN, text + text):
            with self.assertRaises(ValueError):
                readme.replaced(wrong, "new")

    def test_a_line_holds_both_sides(self):
        line = readme.line(result("softmax-256", None))
        self.assertEqual(line[1:7], ["8 × 256", "50.0", "150", "0.38 (0.25–0.50)", "60.0", "0.83 (0.83–0.83)"])
        self.assertEqual(line[7:], ["300 / 400", "0.75 (0.75–0.75)", "30 %"])

    def test_no_ratio_where_the_gate_objects(self):
        line = readme.line(result("softmax-256", "a test failed"))
        self.assertEqual([line[4], line[6], line[8]], [readme.NOTHING] * 3)


class Report(unittest.TestCase):
    def test_the_ratio_is_the_median_of_the_rounds(self):
        line = report.times([result("flash-256", None)]).splitlines()[-1]
        cells = "flash-256 | 50.0 (50.0 to 50.0) | 150 (100 to 200) | 0.38 (0.25 to 0.50) | 0.60 | yes"
        self.assertEqual(line, f"| {cells} |")

    def test_a_compiled_row_has_a_line_and_a_goal_of_its_own(self):
        line = report.times([result("softmax-256", None)]).splitlines()[-1]
        cells = "softmax-256, compiled | 50.0 (50.0 to 50.0) | 60.0 (60.0 to 60.0) | 0.83 (0.83 to 0.83) | 0.80 | no"
        self.assertEqual(line, f"| {cells} |")

    def test_no_ratio_anywhere_where_the_gate_objects(self):
        results = [result("softmax-256", "a test failed")]
        for table, shift in ((report.times(results), 0), (report.memory(results), 1)):
            for line in table.splitlines()[2:]:
                ratio, _goal, verdict = [cell.strip() for cell in line.split("|")][4 + shift : 7 + shift]
                self.assertEqual((ratio, verdict), (report.NOTHING, "not judged"), line)
        self.assertTrue(report.memory(results).endswith(f"| {report.NOTHING} |"))
        self.assertEqual(report.objections(results), ["* softmax-256: no ratio, a test failed."])

    def test_memory_with_and_without_imports(self):
        line = report.memory([result("flash-256", None)]).splitlines()[-1]
        cells = [cell.strip() for cell in line.split("|")][5:-1]
        self.assertEqual(cells, ["0.75 (0.75 to 0.75)", "0.50", "no", "1.00"])

    def test_a_disturbed_row_says_so(self):
        self.assertEqual(report.objections([result("flash-256", None, others=0.05)]), [])
        disturbed = [result("flash-256", None, others=0.25)]
        (line,) = report.objections(disturbed)
        self.assertIn("up to 25 % of the cores during 6 of", line)
        self.assertTrue(report.times(disturbed).endswith("| 0.60 | disturbed |"))

    def test_every_difference_is_named_once(self):
        lines = report.differences(list(ROWS))
        self.assertEqual(len(lines), len(set(lines)))
        for row in ROWS:
            for difference in row.differences:
                self.assertEqual(sum(line.startswith(f"* {difference}") for line in lines), 1, difference)


class Rows(unittest.TestCase):
    def test_every_row_has_a_config(self):
        for row in ROWS:
            size = sizes(row)
            self.assertIn(f"-{size.length}", row.name)
            self.assertEqual(size.vocabulary, 8192)


if __name__ == "__main__":
    unittest.main()
