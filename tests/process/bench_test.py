"""abuzz bench: each scenario runs, its messages are verified, and the file says what was done."""

import json
import unittest

from bus_case import BusCase

SHORT = ("--runs", "1", "--duration", "50ms", "--json")


class Bench(BusCase):
    def measure(self, scenario, *words):
        done = self.abuzz("bench", scenario, *SHORT, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["runs"]

    def assert_whole(self, run):
        self.assertTrue(run["verified"], run)
        self.assertEqual(run["received"], run["expected"])
        for fault in ("lost", "doubled", "reordered", "corrupt"):
            self.assertEqual(run[fault], 0, run)

    def test_streams_and_round_trips(self):
        for scenario in ("pubsub", "fanout", "fanin", "pingpong", "request", "large"):
            with self.subTest(scenario):
                for run in self.measure(scenario):
                    self.assert_whole(run)

    def test_a_group_shares_the_work(self):
        (run,) = self.measure("queue", "--subs", "3")
        self.assert_whole(run)
        self.assertEqual(run["received"], run["sent"])
        self.assertEqual(sum(p["role"] == "worker" for p in run["processes"]), 3)

    def test_what_is_at_a_rate_has_latencies(self):
        for scenario, count in (("burst", 5000), ("idle-wake", 2)):
            with self.subTest(scenario):
                (run,) = self.measure(scenario)
                self.assert_whole(run)
                self.assertEqual(run["received"], count)
                self.assertGreaterEqual(run["max_us"], run["p50_us"])

    def test_what_a_slow_reader_did_not_get_was_counted(self):
        (run,) = self.measure("slow-reader", "--rate", "100k")
        self.assert_whole(run)
        self.assertIn("0 not accounted for", run["note"])

    def test_logical_agents_are_not_processes(self):
        (run,) = self.measure("heritage", "--load", "baseline")
        self.assert_whole(run)
        self.assertEqual((run["agents"], run["messages"], run["tasks"]), (100, 500, 200))
        self.assertEqual(run["received"], 700)
        self.assertEqual(sum(p["role"] == "crowd" for p in run["processes"]), 8)

    def test_what_was_asked_for_and_not_reached_is_exit_code_6(self):
        words = ("--runs", "1", "--duration", "50ms", "--rate", "1k")
        done = self.abuzz("bench", "pubsub", *words, "--slo", "loss=0,p99<1ns")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("slo: pubsub 64 B: p99<1ns, found ", done.stderr)
        for part in ("abuzz bench pubsub", "cores allowed", "quota", "config: ", "wake-ups late",
                     "link used: zmq ipc", "threads of the hub: ", "p99.99", "CPU a message"):
            self.assertIn(part, done.stdout)

    def test_who_lacks_the_pattern_is_not_available(self):
        done = self.abuzz("bench", "queue", "--runs", "1", "--duration", "20ms", "--vs", "zmq")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("queue: n/a for zmq", done.stdout)


if __name__ == "__main__":
    unittest.main()
