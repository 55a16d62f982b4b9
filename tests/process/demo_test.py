"""The demo with tens of MB, again and again: it ends, and counts right."""

import os
import random
import signal
import time
import unittest

from bus_case import PATIENCE, SLOW, BusCase


class Demo(BusCase):
    def write_short_lines(self, megabytes):
        """They come as full batches, many on the way at once: credit is what is short."""
        line = "the quick brown fox jumps over a lazy dog\n"
        return self.write_text("short", line * ((megabytes << 20) // len(line)))

    def write_mixed_lines(self, megabytes):
        words = [f"{a}{b}{c}" for a in "abcdef" for b in "lmnopq" for c in "uvwxyz"]
        chance = random.Random(1)
        part = "".join(" ".join(chance.choices(words, k=chance.choice((1, 3, 8, 20, 400)))) + "\n"
                       for _ in range(5_000))
        return self.write_text("mixed", part * ((megabytes << 20) // len(part)))

    def write_text(self, name, text):
        path = os.path.join(self.base, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def test_it_ends_and_counts_right_with_any_number_of_indexers(self):
        short, mixed = self.write_short_lines(30), self.write_mixed_lines(20)
        for path, indexers in ((short, 3), (short, 8), (short, 1), (short, 3), (short, 8),
                               (mixed, 3), (mixed, 8)):
            with self.subTest(path=path, indexers=indexers):
                done = self.abuzz("demo", path, "--indexers", str(indexers), "--top", "0",
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
