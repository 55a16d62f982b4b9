"""The demo with tens of MB of lines of all lengths, again and again: it ends, and counts right."""

import os
import random
import signal
import time
import unittest

from bus_case import PATIENCE, SLOW, BusCase


class Demo(BusCase):
    def write_texts(self, path, megabytes):
        words = [f"{a}{b}{c}" for a in "abcdef" for b in "lmnopq" for c in "uvwxyz"]
        chance = random.Random(1)
        with open(path, "w", encoding="ascii") as file:
            while file.tell() < megabytes << 20:
                lines = (" ".join(chance.choices(words, k=chance.choice((1, 3, 8, 20, 400))))
                         for _ in range(100))
                # Many alike, because these are made faster.
                file.write(("\n".join(lines) + "\n") * 30)

    def test_it_ends_and_counts_right_with_any_number_of_indexers(self):
        path = os.path.join(self.base, "text")
        self.write_texts(path, 20)
        for indexers in ("1", "3", "3", "8"):
            with self.subTest(indexers=indexers):
                done = self.abuzz("demo", path, "--indexers", indexers, "--top", "0",
                                  "--timeout", f"{3 * SLOW}s")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("equal to the count by one process", done.stdout)

    def test_a_signal_ends_it_also_while_it_looks_for_files(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            # It has no end to find in here.
            process = self.start("demo", *["/proc/self/task"] * 20_000)
            time.sleep(0.2)
            self.assertIsNone(process.poll())
            process.send_signal(number)
            self.assertEqual(self.finish(process, PATIENCE), (128 + number, "", ""))

    def test_names_of_files_do_not_reach_the_terminal_as_they_are(self):
        path = os.path.join(self.base, "two\nlines\x1b[2J")
        with open(path, "w", encoding="ascii") as file:
            file.write("text")
        done = self.abuzz("demo", path)
        self.assert_fails(done, 1, "ABZ-1005")
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("two\\x0alines\\x1b[2J", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
