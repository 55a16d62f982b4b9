"""Deaths: of an agent, of the node, by request and by force. The others go on."""

import json
import os
import signal
import time
import unittest

from bus_case import PATIENCE, SLOW, BusCase

WAIT = ("--timeout", f"{PATIENCE}s")


class Deaths(BusCase):
    def wait_for_next_node(self, epoch, agent):
        """Nobody but the agent itself starts it: no command that starts a node runs meanwhile."""
        def is_there():
            node = self.node()
            if not node or node["epoch"] <= epoch or node["state"] != "ready":
                return False
            listed = self.ls()
            return any(s["agent"] == agent for s in listed["subscriptions"])

        self.wait_until(is_there, 2 * SLOW, f"{agent} is on the next node")

    def test_a_killed_agent_is_gone_within_a_second(self):
        victim = self.subscribe("a.>", "--name", "victim")
        other = self.subscribe("a.>", "--name", "other", "--raw", "--count", "200", *WAIT)
        self.assertEqual(sorted(self.agent_names()), ["other", "victim"])
        publisher = self.start("pub", "a.b", "x", "--count", "200", "--rate", "400")
        victim.kill()
        killed = time.monotonic()
        self.wait_until(lambda: "victim" not in self.agent_names(), 1 * SLOW, "the victim is gone")
        self.assertLess(time.monotonic() - killed, 1.5 * SLOW)
        self.assertEqual(self.finish(other)[:2], (0, "x\n" * 200))
        self.assertEqual(self.finish(publisher)[0], 0)

    def test_a_killed_publisher_hurts_nobody(self):
        reader = self.subscribe("a", "--raw")
        victim = self.start("pub", "a", "x", "--count", "100000", "--rate", "2000")
        time.sleep(0.2)
        victim.kill()
        victim.wait()
        survivor = self.abuzz("pub", "a", "y", "--count", "1100")
        self.assertEqual(survivor.returncode, 0, survivor.stderr)
        reader.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(reader)[1].count("y\n"), 1100)
        self.assert_bus_works()

    def test_agents_find_the_next_node_by_themselves_within_two_seconds(self):
        reader = self.subscribe("a", "--raw", "--name", "reader", "--count", "2", *WAIT)
        self.assertEqual(self.abuzz("pub", "a", "before").returncode, 0)
        first = self.node()
        os.kill(first["pid"], signal.SIGKILL)
        self.wait_for_next_node(first["epoch"], "reader")
        self.assertEqual(self.abuzz("pub", "a", "after").returncode, 0)
        self.assertEqual(self.finish(reader)[:2], (0, "before\nafter\n"))
        self.assertEqual(len(self.node_processes()), 1)

    def test_a_node_killed_without_agents_leaves_nothing_to_clean(self):
        for _ in range(3):
            self.assertEqual(self.abuzz("node", "start").returncode, 0)
            os.kill(self.node()["pid"], signal.SIGKILL)
            self.wait_until(lambda: not self.processes(), 2 * SLOW, "it is dead")
            self.assertEqual(self.abuzz("node", "status").returncode, 4)
            self.assertEqual(self.abuzz("doctor").returncode, 0)
        self.assert_bus_works()

    def test_a_publisher_survives_the_node(self):
        reader = self.subscribe("a", "--raw", *WAIT)
        publisher = self.start("pub", "a", "x", "--count", "3000", "--rate", "1000")
        time.sleep(0.5)
        os.kill(self.node()["pid"], signal.SIGKILL)
        code, out, err = self.finish(publisher)
        # What was under way may be unknown; nothing may be lost without a word.
        self.assertIn(code, (0, 9), err)
        self.assertIn("of 3,000", out)
        reader.send_signal(signal.SIGTERM)
        code, out, _ = self.finish(reader)
        self.assertEqual(code, 143)
        self.assertLessEqual(out.count("x\n"), 3000)

    def test_sub_ends_with_its_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            reader = self.subscribe("a")
            self.assertEqual(self.abuzz("pub", "a", "x").returncode, 0)
            reader.send_signal(number)
            code, out, err = self.finish(reader, 2 * SLOW)
            self.assertEqual((code, out), (128 + number, "a\tx\n"))
            self.assertIn("printed 1 message", err)

    def test_a_sub_whose_reader_sleeps_still_ends(self):
        reader = self.subscribe("a", "--raw")
        publisher = self.start("pub", "a", "x" * 1000, "--count", "5000")
        time.sleep(1)  # the pipe is full by now: nobody reads it
        reader.send_signal(signal.SIGTERM)
        self.assertEqual(reader.wait(3 * SLOW), 143)
        publisher.kill()

    def test_pub_says_what_was_not_sent(self):
        reader = self.subscribe("a", "--name", "sleeper")
        reader.send_signal(signal.SIGSTOP)
        for number in (signal.SIGTERM, signal.SIGINT):
            publisher = self.start("pub", "a", "x", "--count", "100000000")
            time.sleep(0.5)
            publisher.send_signal(number)
            code, _, err = self.finish(publisher, 3 * SLOW)
            self.assertEqual(code, 128 + number, err)
            self.assertRegex(err, "stopped by a signal: .* not settled, of which .* not sent")
        reader.send_signal(signal.SIGCONT)

    def test_pub_without_progress_is_exit_5(self):
        reader = self.subscribe("a", "--name", "sleeper")
        reader.send_signal(signal.SIGSTOP)
        done = self.abuzz("pub", "a", "x", "--timeout", "500ms")
        self.assert_fails(done, 5, "ABZ-0703")
        self.assertIn("1 of 1 published, 0 settled", done.stderr)
        self.assertIn("agent sleeper is stopped (SIGSTOP)", done.stderr)
        reader.send_signal(signal.SIGCONT)

    def test_pub_names_who_holds_it(self):
        reader = self.subscribe("a", "--name", "sleeper", "--queue", "4")
        reader.send_signal(signal.SIGSTOP)
        words = ("pub", "a", "x", "-n", "500", "--timeout", "500ms", "--name", "shop")
        done = self.abuzz(*words)
        self.assert_fails(done, 5, "ABZ-0703")
        self.assertRegex(done.stderr, r"agent sleeper is stopped \(SIGSTOP\), \d+ messages wait "
                         r"for it, and it holds publisher shop; ")
        done = self.abuzz(*words, "--json")
        self.assert_fails(done, 5, "ABZ-0703")
        self.assertEqual(json.loads(done.stdout)["held_by"], "sleeper")
        reader.send_signal(signal.SIGCONT)

    def test_pub_to_a_group_that_nobody_is_in_says_so(self):
        reader = self.subscribe("a", "--group", "team")
        reader.kill()
        reader.wait()
        done = self.abuzz("pub", "a", "x", "--timeout", "500ms")
        self.assert_fails(done, 5, "ABZ-0703")
        self.assertIn("group team has no member now: 1 message waits for one", done.stderr)
        title = "subscription a of group team, 0 members"
        self.assertIn(title, self.abuzz("info", "a").stdout)

    def test_pub_does_not_wait_longer_for_a_stopped_node_than_it_may(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        node = self.node()["pid"]
        os.kill(node, signal.SIGSTOP)
        begun = time.monotonic()
        done = self.abuzz("pub", "a", "x", "--timeout", "2s")
        self.assert_fails(done, 4, "ABZ-0505")
        self.assertLess(time.monotonic() - begun, PATIENCE / 2)
        os.kill(node, signal.SIGCONT)

    def test_a_stopped_reader_that_drops_holds_nobody(self):
        sleeper = self.subscribe("a", "--policy", "drop_new", "--queue", "10")
        awake = self.subscribe("a", "--raw", "--count", "20000", *WAIT)
        sleeper.send_signal(signal.SIGSTOP)
        done = self.abuzz("pub", "a", "x", "--count", "20000")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.finish(awake)[0], 0)
        sleeper.send_signal(signal.SIGCONT)

    def test_a_reader_that_leaves_ends_sub_quietly(self):
        reader = self.subscribe("a", "--raw")
        self.assertEqual(self.abuzz("pub", "a", "x").returncode, 0)
        self.assertEqual(reader.stdout.readline(), b"x\n")
        reader.stdout.close()
        self.assertEqual(reader.wait(2 * SLOW), 0)
        self.assertEqual(reader.stderr.read(), b"")

    def test_the_node_ends_within_two_seconds_and_agents_come_back(self):
        reader = self.subscribe("a", "--raw", "--name", "reader", "--count", "1", *WAIT)
        first = self.node()
        os.kill(first["pid"], signal.SIGTERM)
        self.wait_until(lambda: first["pid"] not in self.processes(), 2 * SLOW, "the node ended")
        self.wait_for_next_node(first["epoch"], "reader")
        self.assertEqual(self.abuzz("pub", "a", "x").returncode, 0)
        self.assertEqual(self.finish(reader)[:2], (0, "x\n"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
