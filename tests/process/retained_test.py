"""Retained messages: kept for who comes later, given before what follows, read with get."""

import json
import os
import signal
import subprocess
import time
import unittest

from bus_case import ABUZZ, PATIENCE, BusCase

WAIT = ("--timeout", f"{PATIENCE}s")


class Retained(BusCase):
    def keep(self, topic, text, *words):
        done = self.abuzz("pub", topic, text, "--retain", "1", *words)
        self.assert_fails(done, 9, "ABZ-0901")
        self.assertIn("kept for who comes later", done.stderr)

    def test_what_was_published_to_nobody_is_there_for_who_comes_later(self):
        self.keep("state.a", "hello")
        reader = self.subscribe("state.*", "--count", "1", *WAIT)
        self.assertEqual(self.finish(reader)[:2], (0, "state.a\thello\n"))
        self.assertEqual(self.abuzz("get", "state.a").stdout, "hello\n")

    def test_without_a_wish_the_hint_names_it(self):
        done = self.abuzz("pub", "state.a", "x")
        self.assertIn("--retain 1 keeps it for who comes later", done.stderr)
        self.assertEqual(self.abuzz("sub", "state.a", "--timeout", "200ms").stdout, "")

    def test_the_last_of_several_are_given_in_order(self):
        self.abuzz("pub", "state.a", "-", "--retain", "3", stdin="1\n2\n3\n4\n5\n")
        reader = self.subscribe("state.a", "--raw", "--count", "4", *WAIT)
        self.assertEqual(self.abuzz("pub", "state.a", "6").returncode, 0)
        self.assertEqual(self.finish(reader)[1], "3\n4\n5\n6\n")
        live = self.start("sub", "state.a", "--raw", "--live", "--timeout", "300ms")
        self.assertEqual(self.finish(live)[:2], (0, ""))

    def test_keys_have_their_own_values(self):
        for key in ("red", "blue", "7"):
            self.keep("state.a", key, "--key", key)
        self.assertEqual(self.abuzz("get", "state.a", "--key", "red").stdout, "red\n")
        self.assertEqual(self.abuzz("get", "state.a", "--key", "7").stdout, "7\n")
        said = json.loads(self.abuzz("get", "state.a", "--json").stdout)
        self.assertEqual((said["v"], said["key"], said["payload"]), (1, 7, "7"))
        self.assert_fails(self.abuzz("get", "state.a", "--key", "green"), 9, "ABZ-0904")

    def test_hits_and_misses_are_counted(self):
        self.keep("state.a", "x")
        self.assertEqual(self.abuzz("get", "state.a").returncode, 0)
        self.assert_fails(self.abuzz("get", "state.b"), 9, "ABZ-0904")
        entries = json.loads(self.abuzz("info", "state.a", "--json").stdout)["entries"]
        counters = [e["counters"] for e in entries if e["kind"] == "retained"][0]
        self.assertEqual((counters["kept"], counters["messages"], counters["hits"]), (1, 1, 1))
        entries = json.loads(self.abuzz("info", "node", "--json").stdout)["entries"]
        counters = [e["counters"] for e in entries if e["kind"] == "retained"][0]
        self.assertEqual((counters["hits"], counters["misses"]), (1, 1))
        self.assertEqual(self.abuzz("audit").returncode, 0)

    def test_binary_payloads_of_the_limit_come_back_as_they_were(self):
        payload = bytes(range(256)).replace(b"\n", b"") * 4096
        payload = payload[:1 << 20]
        done = subprocess.run([ABUZZ, "pub", "state.big", "-", "--retain", "1"], input=payload,
                              capture_output=True, env=self.env, timeout=PATIENCE)
        self.assertEqual(done.returncode, 9, done.stderr)
        done = subprocess.run([ABUZZ, "get", "state.big", "--raw"], capture_output=True,
                              env=self.env, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == payload)

    def test_expired_values_are_not_given(self):
        self.keep("state.a", "x", "--ttl", "300ms")
        self.wait_until(lambda: self.abuzz("get", "state.a").returncode == 9, PATIENCE, "expiry")
        self.wait_until(
            lambda: '"expired":1' in self.abuzz("info", "node", "--json").stdout.replace(" ", ""),
            PATIENCE, "the count")

    def test_a_node_that_keeps_something_does_not_leave(self):
        env = {"ABUZZ_NODE__IDLE_EXIT": "1s"}
        self.abuzz("pub", "state.a", "x", "--retain", "1", "--ttl", "4s", env=env)
        node = self.node()
        time.sleep(2.5)
        self.assertEqual(self.node()["pid"], node["pid"])
        self.wait_until(lambda: not self.processes(), PATIENCE, "the node's end")

    def test_after_a_killed_node_living_publishers_bring_theirs(self):
        self.keep("state.dead", "gone")
        publisher = self.start("pub", "state.live", "-", "--retain", "1", stdin=-1)
        publisher.stdin.write(b"first\nsecond\n")
        publisher.stdin.flush()
        self.wait_until(lambda: self.abuzz("get", "state.live").stdout == "second\n", PATIENCE,
                        "the value")
        node = self.node()
        os.kill(node["pid"], signal.SIGKILL)
        self.wait_until(lambda: self.abuzz("get", "state.live").stdout == "second\n", PATIENCE,
                        "the value at the next node")
        self.assert_fails(self.abuzz("get", "state.dead"), 9, "ABZ-0904")
        self.assertIn("went with the last", self.abuzz("info", "node").stdout)
        reader = self.subscribe("state.*", "--raw", "--count", "2", *WAIT)
        publisher.stdin.write(b"third\n")
        publisher.stdin.flush()
        self.assertEqual(self.finish(reader)[1], "second\nthird\n")
        publisher.stdin.close()
        publisher.stdin = None
        self.finish(publisher)
        self.assertEqual(self.abuzz("audit").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
