"""Presence: what the node knows of its agents, and tells to whoever wants to know."""

import json
import os
import queue
import signal
import threading
import time
import unittest

from bus_case import PATIENCE, SLOW, BusCase


class Presence(BusCase):
    def setUp(self):
        super().setUp()
        self.heard = queue.Queue()

    def watch(self, pattern="$agents.>", name="watcher"):
        """Listens from now on; every event stands in self.heard as (time, topic, payload)."""
        watcher = self.subscribe(pattern, "--name", name)

        def read():
            for line in watcher.stdout:
                topic, payload = line.decode().rstrip("\n").split("\t")
                self.heard.put((time.monotonic(), topic, json.loads(payload)))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        return watcher

    def expect(self, topic, seconds=PATIENCE):
        """The next event that is not about a watcher."""
        end = time.monotonic() + seconds
        while True:
            try:
                at, heard, event = self.heard.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.fail(f"not within {seconds} s: {topic}")
            if not event["name"].startswith("watcher"):
                break
        self.assertEqual(heard, topic, event)
        self.assertEqual(heard, f"$agents.{event['name']}.{event['state']}")
        return at, event

    def state(self, name):
        return next((a["state"] for a in self.agents() if a["name"] == name), None)

    def test_a_stopped_agent_is_stalled_and_ready_again_and_gone_when_killed(self):
        self.watch()
        victim = self.subscribe("work", "--name", "victim")
        arrived = self.expect("$agents.victim.starting")[1]
        self.assertEqual(arrived["cause"], "arrived")
        ready = self.expect("$agents.victim.ready")[1]
        self.assertEqual((ready["pid"], ready["kind"], ready["description"], ready["v"]),
                         (victim.pid, "sub", "", 1))
        self.assertEqual(ready["node_epoch"], self.node()["epoch"])
        self.assertLess(abs(ready["time_ms"] / 1000 - time.time()), 60)

        stopped = time.monotonic()
        victim.send_signal(signal.SIGSTOP)
        at, event = self.expect("$agents.victim.stalled", 10 * SLOW)
        self.assertLess(at - stopped, 4 * SLOW)
        self.assertEqual((event["cause"], event["alive"], event["responsive"]),
                         ("no_beat", True, False))
        self.assertEqual(self.state("victim"), "stalled")

        victim.send_signal(signal.SIGCONT)
        resumed = time.monotonic()
        at, event = self.expect("$agents.victim.ready", 10 * SLOW)
        self.assertLess(at - resumed, 3 * SLOW)
        self.assertEqual((event["cause"], event["responsive"]), ("beat", True))
        self.assertEqual(self.state("victim"), "ready")

        killed = time.monotonic()
        victim.kill()
        at, event = self.expect("$agents.victim.gone")
        self.assertLess(at - killed, 1 * SLOW)
        self.assertEqual((event["cause"], event["alive"]), ("hung_up", False))
        self.assertIsNone(self.state("victim"))

    def test_a_stopped_agent_that_is_killed_is_gone_at_once(self):
        self.watch("$agents.*.gone")
        victim = self.subscribe("work", "--name", "victim")
        victim.send_signal(signal.SIGSTOP)
        killed = time.monotonic()
        victim.kill()
        self.assertLess(self.expect("$agents.victim.gone")[0] - killed, 1 * SLOW)

    def test_an_agent_that_closes_drains_first(self):
        self.watch("$agents.leaver.*")
        leaver = self.subscribe("work", "--name", "leaver")
        leaver.send_signal(signal.SIGTERM)
        for state, cause in (("starting", "arrived"), ("ready", "attached"),
                             ("draining", "closing"), ("gone", "goodbye")):
            self.assertEqual(self.expect(f"$agents.leaver.{state}")[1]["cause"], cause)

    def test_who_has_more_than_it_handles_is_busy(self):
        self.watch("$agents.slow.*")
        slow = self.subscribe("work", "--name", "slow")
        for state in ("starting", "ready"):
            self.expect(f"$agents.slow.{state}")
        publisher = self.start("pub", "work", "x" * 1000, "--count", "20000", "--timeout", "30s")
        self.assertEqual(self.expect("$agents.slow.busy")[1]["cause"], "backlog")
        agent = next(a for a in self.ls()["agents"] if a["name"] == "slow")
        self.assertGreater(agent["unsettled"], 0)
        self.assertTrue(agent["responsive"])
        # Its reader sleeps: nothing is handled any more.
        stuck = lambda: next(a for a in self.ls()["agents"]
                             if a["name"] == "slow")["progressing"] is False
        self.wait_until(stuck, 10 * SLOW, "it makes no progress")
        event = self.expect("$agents.slow.busy")[1]
        self.assertEqual((event["cause"], event["progressing"]), ("no_progress", False))
        self.assertRegex(self.abuzz("ls", "agents").stdout, r"slow .* busy, no progress ")
        reader = threading.Thread(target=slow.stdout.read, daemon=True)
        reader.start()
        self.assertEqual(self.expect("$agents.slow.busy")[1]["cause"], "progress")
        self.assertEqual(self.expect("$agents.slow.ready")[1]["cause"], "caught_up")
        self.assertEqual(self.finish(publisher)[0], 0)

    def test_a_listener_that_sleeps_holds_nobody(self):
        sleeper = self.subscribe("$agents.>", "--name", "watcher-asleep", "--queue", "1")
        self.watch()
        sleeper.send_signal(signal.SIGSTOP)
        for name in ("first", "second"):
            self.assertEqual(self.abuzz("pub", "void", "x", "--name", name).returncode, 9)
            for state in ("starting", "ready", "draining", "gone"):
                self.expect(f"$agents.{name}.{state}")
        sleeper.send_signal(signal.SIGCONT)
        done = self.abuzz("audit", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_only_the_node_tells_and_only_about_agents(self):
        self.assert_fails(self.abuzz("pub", "$agents.a.gone", "x"), 7, "ABZ-0203")
        for pattern in ("$death.>", "$agent.*", "$agentsx.>"):
            self.assert_fails(self.abuzz("sub", pattern), 7, "ABZ-0203")
        self.assert_fails(self.abuzz("sub", "$agents..x"), 7, "ABZ-0203")
        everything = self.subscribe(">", "--name", "everything", "--timeout", "500ms")
        self.subscribe("a", "--name", "other")
        self.assertEqual(self.finish(everything)[1], "")

    def test_a_later_listener_asks_for_the_present_state(self):
        self.subscribe("work", "--name", "early")
        agent = self.wait_until(
            lambda: next((a for a in self.ls()["agents"] if a["state"] == "ready"), None),
            PATIENCE, "it is ready")
        self.assertEqual((agent["name"], agent["responsive"], agent["progressing"]),
                         ("early", True, True))
        info = self.abuzz("info", "early")
        self.assertRegex(info.stdout, r"last beat +\d+ms ago")
        self.assertRegex(info.stdout, r"responsive +yes")

    def test_agents_arrive_again_at_the_next_node(self):
        self.watch()
        self.subscribe("work", "--name", "early")
        for state in ("starting", "ready"):
            self.expect(f"$agents.early.{state}")
        first = self.node()
        os.kill(first["pid"], signal.SIGKILL)
        self.wait_until(lambda: (self.node() or first)["epoch"] != first["epoch"], PATIENCE,
                        "there is another node")
        self.wait_until(lambda: self.state("early") == "ready", PATIENCE, "it is ready there")
        agent = self.subscribe("work", "--name", "late")
        self.assertIsNotNone(agent)
        while True:
            _, topic, event = self.heard.get(timeout=PATIENCE)
            self.assertEqual(event["node_epoch"], first["epoch"] + 1)
            if topic == "$agents.late.ready":
                break


if __name__ == "__main__":
    unittest.main(verbosity=2)
