"""Ends by request: within two seconds, with a word about what was not delivered; and draining."""

import json
import os
import re
import signal
import subprocess
import time
import unittest

from bus_case import ABUZZ, PATIENCE, SLOW, BusCase

# What is promised: a node or an agent that is told to end has ended after it.
END = 2 * SLOW
LINE = "x" * 400 + "\n"
LEFT = re.compile(r"([\d,]+) messages? (?:was|were) not delivered")


class Stopping(BusCase):
    def run_node(self, *words):
        """A node in the foreground, so that its stderr and exit code can be read."""
        node = self.start("node", "run", *words)
        while not node.stderr.readline().startswith(b"node ready"):
            self.assertIsNone(node.poll(), "the node did not start")
        return node

    def end_within_promise(self, process, number=signal.SIGTERM):
        """Answers exit code and stderr."""
        began = time.monotonic()
        process.send_signal(number)
        code, _, err = self.finish(process)
        took = time.monotonic() - began
        print(f"{took * 1000:.0f} ms: {err.strip()}", flush=True)
        self.assertLess(took, END, err)
        return code, err

    def assert_ends(self, process):
        code, err = self.end_within_promise(process)
        self.assertEqual(code, 143, err)
        return err

    def publish_lines(self, topic, count, name):
        """A publisher whose stdin stays open, so that it does not end by itself."""
        publisher = self.start("pub", topic, "-", "--name", name, stdin=subprocess.PIPE)
        os.set_blocking(publisher.stdin.fileno(), False)
        text = (LINE * count).encode()
        end = time.monotonic() + PATIENCE
        while text and time.monotonic() < end and self.queued() < 10_000:
            try:
                text = text[os.write(publisher.stdin.fileno(), text):]
            except BlockingIOError:
                time.sleep(0.01)
        return publisher

    def queued(self):
        node = self.node()
        return node["queued_messages"] if node else 0


class Stops(Stopping):
    def test_a_node_whose_subscriber_is_stopped_ends_in_time_and_says_what_it_held(self):
        node = self.run_node()
        sleeper = self.subscribe("a", "--name", "sleeper")
        sleeper.send_signal(signal.SIGSTOP)
        publisher = self.publish_lines("a", 30_000, "talker")
        self.wait_until(lambda: self.queued() > 10_000, PATIENCE, "much is queued")
        err = self.assert_ends(node)
        held = LEFT.search(err)
        self.assertTrue(held, err)
        self.assertGreater(int(held[1].replace(",", "")), 10_000)
        self.assertIn("2 agents were connected", err)
        # Whoever goes on waits for the next node: it ends as fast without one.
        self.assert_ends(publisher)
        sleeper.send_signal(signal.SIGCONT)
        self.assert_ends(sleeper)

    def test_a_publisher_that_is_held_ends_in_time_and_says_what_it_kept(self):
        sleeper = self.subscribe("a", "--name", "sleeper")
        sleeper.send_signal(signal.SIGSTOP)
        publisher = self.publish_lines("a", 30_000, "talker")
        err = self.assert_ends(publisher)
        self.assertRegex(err, "not settled, of which [0-9,]+ were not sent")
        sleeper.send_signal(signal.SIGCONT)

    def test_a_node_counts_what_a_stopped_subscriber_was_sent_and_did_not_confirm(self):
        node = self.run_node()
        sleeper = self.subscribe("a", "--name", "sleeper")
        sleeper.send_signal(signal.SIGSTOP)
        done = self.abuzz("pub", "a", "precious", "--timeout", "500ms")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("1 message was not delivered", self.assert_ends(node))
        sleeper.send_signal(signal.SIGCONT)

    def test_a_node_that_is_stopped_at_full_speed_accuses_nobody_and_loses_nothing(self):
        count = 300_000
        node = self.run_node()
        reader = self.subscribe("a", "--raw", "--count", str(count), stdout=subprocess.DEVNULL)
        publisher = self.start("pub", "a", "x", "--count", str(count), "--timeout",
                               f"{PATIENCE}s")
        self.wait_until(lambda: self.node()["messages_in"] > 1000, PATIENCE, "it is under way")
        err = self.assert_ends(node)
        self.assertNotIn("bad frame", err)
        self.assertIn(" 0 messages were not delivered", err)
        code, out, err = self.finish(publisher, PATIENCE * 3)
        self.assertEqual(code, 0, err)
        self.assertIn(f"delivered {count:,} of {count:,}", out)
        self.assertEqual(self.finish(reader)[0], 0)

    def test_agents_without_anything_to_do_end_in_time(self):
        reader = self.subscribe("a")
        waiting = self.start("pub", "a", "-", "--name", "waiting", stdin=subprocess.PIPE)
        self.wait_until(lambda: "waiting" in self.agent_names(), PATIENCE, "it is connected")
        self.assertIn("printed 0 messages", self.assert_ends(reader))
        self.assertIn("0 were not sent", self.assert_ends(waiting))

    def test_agents_whose_node_is_stopped_end_in_time(self):
        reader = self.subscribe("a")
        waiting = self.start("pub", "a", "-", "--name", "waiting", stdin=subprocess.PIPE)
        self.wait_until(lambda: "waiting" in self.agent_names(), PATIENCE, "it is connected")
        pid = self.node()["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            self.assert_ends(reader)
            self.assert_ends(waiting)
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_the_agents_of_the_demo_end_in_time(self):
        folder = os.path.normpath(os.path.join(os.path.dirname(ABUZZ), "..", "agents"))
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        team = [subprocess.Popen([os.path.join(folder, f"abuzz-demo-{name}"), "--run", "r",
                                  "--indexers", "1", "--list", "/dev/null"], env=self.env,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for name in ("collector", "indexer")]
        self.started += team
        self.wait_until(lambda: len(self.ls()["agents"]) == 2, PATIENCE, "they are connected")
        for agent in team:
            self.assertEqual(abs(self.end_within_promise(agent)[0]) % 128, signal.SIGTERM)


class Drains(Stopping):
    def test_a_draining_node_says_so_and_ends_with_0_when_the_last_agent_has_gone(self):
        node = self.run_node()
        reader = self.subscribe("a", "--name", "reader", "--raw")
        self.assertEqual(self.abuzz("node", "drain").returncode, 0)
        self.wait_until(lambda: self.node()["state"] == "draining", PATIENCE, "it drains")
        self.assertIn("node      draining", self.abuzz("node", "status").stdout)
        done = self.abuzz("pub", "a", "x", env={"ABUZZ_AGENT__CONNECT_TIMEOUT": "200ms"})
        self.assert_fails(done, 1, "ABZ-0702")
        self.assertIn("draining", done.stderr)
        self.assertEqual(self.agent_names(), ["reader"])
        self.assertIsNone(node.poll(), "it left before it was empty")
        self.assert_ends(reader)
        code, _, err = self.finish(node, END)
        self.assertEqual(code, 0, err)
        self.assertIn("node stopped (drained): 0 agents were connected, 0 messages were not", err)
        self.assertEqual(self.abuzz("node", "status").returncode, 4)

    def test_who_publishes_to_a_draining_node_is_not_accused_and_knows_what_arrived(self):
        node = self.run_node()
        reader = self.subscribe("a", "--name", "reader", "--raw")
        publisher = self.start("pub", "a", "x", "--rate", "3000", "--count", "9000", "--json",
                               "--timeout", "1s")
        self.wait_until(lambda: self.node()["messages_in"] > 1000, PATIENCE, "it is under way")
        self.assertEqual(self.abuzz("node", "drain").returncode, 0)
        code, out, err = self.finish(publisher)
        self.assertEqual(code, 5, err)
        delivered = json.loads(out)["delivered"]
        lines = [reader.stdout.readline() for _ in range(delivered)]
        self.assertEqual(lines, [b"x\n"] * delivered)
        reader.terminate()
        rest = self.finish(reader)[1]
        self.assertEqual(rest, "", "more was delivered than its publisher was told")
        code, _, err = self.finish(node)
        self.assertEqual(code, 0, err)
        self.assertNotIn("bad frame", err)

    def test_what_is_queued_is_delivered_before_a_draining_node_ends(self):
        node = self.run_node()
        reader = self.subscribe("a", "--name", "reader", "--raw")
        reader.send_signal(signal.SIGSTOP)
        publisher = self.publish_lines("a", 30_000, "talker")
        self.assert_ends(publisher)
        queued = self.queued()
        self.assertGreater(queued, 0)
        self.assertEqual(self.abuzz("node", "drain").returncode, 0)
        # In the order in which a person would do it: the reader goes on, and is ended at last.
        reader.send_signal(signal.SIGCONT)
        lines = 0
        while lines < queued:
            self.assertEqual(reader.stdout.readline().decode(), LINE)
            lines += 1
        reader.kill()
        self.assertEqual(self.finish(node, END)[0], 0)

    def test_an_idle_node_that_is_told_to_drain_ends_at_once_and_the_next_command_starts_one(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        self.assertEqual(self.abuzz("node", "drain").returncode, 0)
        self.wait_until(lambda: not self.node_processes(), END, "it has ended")
        self.assert_bus_works()


if __name__ == "__main__":
    unittest.main(verbosity=2)
