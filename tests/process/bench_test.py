"""abuzz bench: each scenario runs, its messages are verified, and the file says what was done."""

import json
import os
import re
import signal
import time
import unittest

from bus_case import PATIENCE, BusCase, test_agent

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
        words = ("--runs", "1", "--duration", "50ms", "--rate", "10k")
        done = self.abuzz("bench", "pubsub", *words, "--slo", "loss=0,p99<1ns")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("slo: pubsub 64 B: p99<1ns, found ", done.stderr)
        for part in ("abuzz bench pubsub", "cores allowed", "quota", "config: ", "wake-ups late",
                     "link used: zmq ipc", "threads: subscriber: ", "hub: I/O 0 on ", "p99.9",
                     "CPU a message", "again: abuzz bench pubsub --size 64 --rate 10000 "):
            self.assertIn(part, done.stdout)

    def test_a_receiver_that_stands_still_is_in_the_tail(self):
        out = os.path.join(self.base, "out.json")
        bench = self.start("bench", "pubsub", "--rate", "2k", "--duration", "2s", "--runs", "1",
                           "--out", out)

        def subscribers():
            return [pid for pid, line in self.processes().items() if '"subscriber"' in line]

        self.wait_until(subscribers, PATIENCE, "the subscriber has started")
        time.sleep(1)
        (pid,) = subscribers()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        os.kill(pid, signal.SIGCONT)
        self.assertEqual(self.finish(bench)[0], 0)
        with open(out, encoding="utf-8") as file:
            (run,) = json.load(file)["runs"]
        self.assert_whole(run)
        # Messages that were to leave meanwhile were late by as much as was left of it.
        self.assertGreater(run["p99.9_us"], 40_000)
        self.assertGreater(max(run["worst_us_each_50ms"]), 40_000)

    def test_what_is_lost_or_doubled_has_no_rate(self):
        for kind, figure in (("discard", "lost"), ("double", "doubled")):
            with self.subTest(kind):
                done = self.abuzz("bench", "pubsub", "--size", "1k", "--runs", "1", "--duration",
                                  "300ms", "--json", env={
                                      "LD_PRELOAD": test_agent("planted/libabuzz.so.0"),
                                      "ABUZZ_TEST_FAULT": kind, "ABUZZ_TEST_FAULT_ONE_IN": "200",
                                      "ABUZZ_TEST_FAULT_FILE": os.path.join(self.base, kind)})
                (run,) = json.loads(done.stdout)["runs"]
                if kind == "double":
                    # The subscriber recognises what it had before: nobody gets it twice.
                    self.assertEqual(done.returncode, 0, done.stderr)
                    continue
                self.assertEqual(done.returncode, 6, done.stderr)
                self.assertGreater(run[figure], 0)
                self.assertIsNone(run["rate"])
                self.assertFalse(run["verified"])

    def test_a_flag_that_would_change_nothing_is_refused(self):
        for words in (("pingpong", "--rate", "1k"), ("heritage", "--size", "64"),
                      ("pubsub", "--subs", "3"), ("pubsub", "--load", "peak"),
                      ("heritage", "--only", "zmq"), ("pubsub", "--only", "zmq", "--vs", "zmq"),
                      ("pubsub", "--against", "/bin/true"), ("pubsub", "--against", "/tmp"),
                      ("pubsub", "--rate", "1k,x"),
                      ("pubsub", "--rate", "1k", "--slo", "p99<infus")):
            with self.subTest(words):
                done = self.abuzz("bench", *words, "--runs", "1", "--duration", "20ms")
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)

    def test_what_was_asked_for_can_be_done_again(self):
        words = ("--runs", "1", "--duration", "20ms")
        done = self.abuzz("bench", "fanout", *words, "--subs", "2", "--rate", "5k,10k", "--set",
                          "place.waiting=eco")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith(
            "abuzz bench fanout --runs 1 --duration 20ms --subs 2 --rate 5k,10k"
            " --set place.waiting=eco\n"), done.stdout)
        commands = re.findall("again: abuzz (.*)", done.stdout)
        self.assertEqual(len(commands), 2)
        for command in commands:
            again = self.abuzz(*command.split())
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertIn(command, again.stdout)

    def test_who_lacks_the_pattern_is_not_available(self):
        done = self.abuzz("bench", "queue", "--runs", "1", "--duration", "20ms", "--vs", "zmq")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("queue: n/a for zmq", done.stdout)


if __name__ == "__main__":
    unittest.main()
