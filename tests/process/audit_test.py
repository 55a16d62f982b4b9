"""audit: every message is accounted for; a counter that is wrong is found and named."""

import fcntl
import json
import os
import re
import shutil
import signal
import unittest

import counter_file
from bus_case import PATIENCE, BusCase

WAIT = ("--timeout", f"{PATIENCE}s")


class Audit(BusCase):
    def audit(self, *words, env=None):
        done = self.abuzz("audit", "--json", *words, env=env)
        return done, (json.loads(done.stdout) if done.stdout else None)

    def topic(self, said, name):
        return next(topic for topic in said["topics"] if topic["topic"] == name)

    def test_without_a_node_it_is_exit_4(self):
        self.assert_fails(self.abuzz("audit"), 4, "ABZ-0401")

    def test_a_quiet_bus_balances_to_the_last_message(self):
        reader = self.subscribe("orders.*", "--name", "billing")
        self.assertEqual(self.abuzz("pub", "orders.new", "x", "--count", "500").returncode, 0)
        self.assertEqual(self.abuzz("pub", "other", "x").returncode, 9)
        done, said = self.audit()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((said["v"], said["balanced"], said["quiet"]), (1, True, True))
        self.assertEqual(said["verdict"], "balanced")
        orders = self.topic(said, "orders.new")
        self.assertEqual((orders["published"], orders["matched"], orders["delivered"]),
                         (500, 500, 500))
        self.assertEqual(self.topic(said, "other")["no_subscriber"], 1)
        text = self.abuzz("audit").stdout
        self.assertRegex(text, r"orders\.new +500 ")
        self.assertTrue(text.endswith("\nbalanced\n"), text)
        reader.send_signal(signal.SIGTERM)
        self.finish(reader)
        self.assertEqual(self.audit()[1]["verdict"], "balanced")

    def test_drops_are_counted_by_reason(self):
        reader = self.subscribe("a", "--policy", "drop_new", "--queue", "10", "--name", "sleeper")
        reader.send_signal(signal.SIGSTOP)
        self.abuzz("pub", "a", "x", "--count", "50000", "--timeout", "1s")
        done, said = self.audit()
        self.assertEqual(done.returncode, 0, done.stderr)
        topic = self.topic(said, "a")
        dropped = topic["dropped"]["queue full"]
        self.assertGreater(dropped, 0)
        self.assertEqual(topic["matched"], dropped + topic["delivered"] + topic["queued"] +
                         topic["in_flight"] + topic["unknown"].get("peer gone", 0))
        self.assertIn("under way", said["verdict"])
        reader.send_signal(signal.SIGCONT)

    def test_each_line_adds_up_by_eye(self):
        reader = self.subscribe("a", "--policy", "lossless", "--queue", "4", "--name", "sleeper")
        reader.send_signal(signal.SIGSTOP)
        self.abuzz("pub", "a", "x", "-n", "100", "--ttl", "200ms", "--timeout", "3s")
        self.abuzz("pub", "b", "x", "-n", "3")
        tables = [[re.split(r" {2,}", line) for line in table.splitlines()]
                  for table in self.abuzz("audit").stdout.split("\n\n")[:2]]
        for total, table in zip(("PUBLISHED", "MATCHED"), tables):
            self.assertEqual(table[0][:2], ["TOPIC", total])
            for cells in table[1:]:
                numbers = [sum(map(int, re.findall(r"\d+", cell.replace(",", ""))))
                           for cell in cells[1:]]
                self.assertEqual(numbers[0], sum(numbers[1:]), cells)
        self.assertEqual([cells[0] for cells in tables[0]], ["TOPIC", "a", "b", "(all)"])
        self.assertRegex(tables[0][1][-1], r"^\d+ expired$")
        reader.send_signal(signal.SIGCONT)

    def test_the_dead_leave_unknown_and_are_named(self):
        victim = self.subscribe("a", "--name", "victim")
        victim.send_signal(signal.SIGSTOP)
        self.abuzz("pub", "a", "x", "--count", "20", "--timeout", "300ms")
        victim.kill()
        victim.wait()
        self.wait_until(lambda: "victim" not in self.agent_names(), PATIENCE, "the victim is gone")
        done, said = self.audit()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(said["verdict"],
                         r"^balanced with unknown = \d+ because agent victim died$")
        self.assertLessEqual(said["unknown"], 20)

    def test_who_stood_still_is_not_called_dead(self):
        self.env["ABUZZ_SUBSCRIPTION__STALL_LIMIT"] = "300ms"
        sleeper = self.subscribe("a", "--name", "sleeper", "--queue", "10")
        sleeper.send_signal(signal.SIGSTOP)
        self.abuzz("pub", "a", "x", "--count", "100", "--timeout", "3s")
        done, said = self.audit()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(said["verdict"], r"^balanced with unknown = \d+ because agent sleeper "
                         r"stood still past the stall limit$")
        sleeper.send_signal(signal.SIGCONT)

    def test_a_bus_at_work_is_not_accused(self):
        reader = self.subscribe("a.>", "--raw")
        publisher = self.start("pub", "a.b", "x", "--count", "100000000", "--rate", "2000",
                               stdout=-3)
        self.wait_until(lambda: self.ls()["topics"], PATIENCE, "it publishes")
        done, said = self.audit("--wait", "500ms")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(said["quiet"])
        publisher.kill()
        publisher.wait()
        reader.kill()

    def test_after_the_node_was_killed_the_next_one_balances(self):
        reader = self.subscribe("a", "--name", "reader")
        publisher = self.start("pub", "a", "x", "--count", "1500", "--rate", "1000")
        self.wait_until(lambda: self.ls()["topics"], PATIENCE, "it publishes")
        os.kill(self.node()["pid"], signal.SIGKILL)
        self.assertIn(self.finish(publisher)[0], (0, 9))
        done, said = self.audit()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertTrue(said["quiet"])
        reader.send_signal(signal.SIGTERM)

    # -- planted ------------------------------------------------------------------------------

    def copy_runtime(self):
        """A copy of the counter files in which the node seems to live: its lock is held."""
        base = os.path.join(self.base, "copy")
        copy = os.path.join(base, "abuzz")
        os.makedirs(copy, mode=0o700)
        shutil.copy(os.path.join(self.runtime, "node.counters"), copy)
        shutil.copytree(os.path.join(self.runtime, "agents"), os.path.join(copy, "agents"))
        lock = os.open(os.path.join(copy, "node.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.addCleanup(os.close, lock)
        return base, os.path.join(copy, "node.counters")

    def test_one_message_more_or_less_is_exit_6(self):
        self.subscribe("orders.*", "--name", "billing")
        publisher = self.start("pub", "orders.new", "-", "--name", "shop", stdin=-1)
        publisher.stdin.write(b"x\n" * 100)
        publisher.stdin.flush()
        delivered = lambda: any(t["delivered"] == 100 for t in self.ls()["topics"])
        self.wait_until(delivered, PATIENCE, "it is delivered")
        self.assertEqual(self.audit()[0].returncode, 0)
        base, counters = self.copy_runtime()
        env = {"XDG_RUNTIME_DIR": base}
        self.assertEqual(self.audit(env=env)[0].returncode, 0)
        for counter, amount in (("delivered", 1), ("delivered", -1), ("queued", 1),
                                ("matched", -1), ("dropped, queue full", 1)):
            counter_file.add(counters, counter_file.PAIR, counter, amount)
            done, said = self.audit(env=env)
            self.assert_fails(done, 6, "ABZ-1301")
            self.assertFalse(said["balanced"])
            self.assertIn("orders.new of shop to orders.* of billing",
                          [imbalance["where"] for imbalance in said["imbalances"]])
            text = self.abuzz("audit", env=env)
            self.assertEqual(text.returncode, 6)
            self.assertIn("\nnot balanced: ", text.stdout)
            self.assertIn("orders.new of shop to orders.* of billing: ", text.stdout)
            counter_file.add(counters, counter_file.PAIR, counter, -amount)
        self.assertEqual(self.audit(env=env)[0].returncode, 0)
        publisher.stdin.close()
        publisher.stdin = None
        self.assertEqual(self.finish(publisher)[0], 0)


if __name__ == "__main__":
    unittest.main()
