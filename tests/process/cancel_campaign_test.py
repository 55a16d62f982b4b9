"""A cancel arrives within 10 ms at the 99th percentile while every data lane is full."""

import subprocess
import time
import unittest

from bus_case import PATIENCE, BusCase, campaign_count, test_agent

LIMIT_MS = 10.0
CANCELS = 200


class Cancel(BusCase):
    def agent(self, *words):
        process = subprocess.Popen([test_agent("canceller"), *map(str, words)], env=self.env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def moments(self, process, count):
        """Number -> nanoseconds, as the process says them; and how many bytes it received."""
        found = {}
        for line in process.stdout:
            first, second = line.split()
            if first == "received":
                return found, int(second)
            found[int(first)] = int(second)
        self.fail(f"ended after {len(found)} of {count}")

    def test_a_cancel_overtakes_all_data(self):
        count = max(20, campaign_count(CANCELS))
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        worker = self.agent("worker")
        asker = self.agent("asker", count)
        time.sleep(1)  # until the lanes are full
        start = time.monotonic()
        asker.stdin.write("\n")
        asker.stdin.flush()
        told, asker_bytes = self.moments(asker, count)
        took = time.monotonic() - start
        time.sleep(1)  # for the last of them
        worker.stdin.close()
        seen, worker_bytes = self.moments(worker, count)
        asker.stdin.close()
        self.assertEqual(asker.wait(PATIENCE), 0)
        self.assertEqual(worker.wait(PATIENCE), 0)

        self.assertEqual(sorted(told), list(range(count)))
        self.assertEqual(sorted(seen), sorted(told), "a cancel did not arrive")
        spans = sorted((seen[number] - told[number]) / 1e6 for number in told)
        p50, p99 = spans[len(spans) // 2], spans[min(len(spans) - 1, len(spans) * 99 // 100)]
        rate = (asker_bytes + worker_bytes) / took / (1 << 20)
        print(f"\n{count} cancels: p50 {p50:.3f} ms, p99 {p99:.3f} ms, max {spans[-1]:.3f} ms,"
              f" beside {rate:.0f} MiB/s of data")
        self.assertGreater(rate, 0)
        # A figure of time is judged where all of the campaign runs, on a machine left to it.
        if count == CANCELS:
            self.assertLess(p99, LIMIT_MS)


if __name__ == "__main__":
    unittest.main()
