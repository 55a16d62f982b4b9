"""What a message costs, whatever the machine: not more than the committed file says."""

import os
import shutil
import unittest

from bus_case import PATIENCE, BusCase

STORED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cost.json")


@unittest.skipIf(shutil.which("valgrind") is None, "valgrind is not there")
class CostOfAMessage(BusCase):
    def test_is_not_more_than_was_committed(self):
        # Valgrind on a busy machine takes its time. Another processor has other string functions:
        # the gate leaves room for them.
        done = self.abuzz("bench", "cost", "--size", "64", "--against", STORED, "--gate", "25%",
                          timeout=PATIENCE * 10)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for figure in ("instructions", "system calls", "allocations", "bytes moved"):
            self.assertIn(f"{figure} a message", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
