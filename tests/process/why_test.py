"""why: each fault that keeps a message from arriving, seeded with real processes, is named."""

import json
import os
import signal
import subprocess
import unittest

from bus_case import PATIENCE, SLOW, BusCase, test_agent


class Why(BusCase):
    def actor(self, *words, is_ready=True):
        """An agent of actor.cpp, ready; killed at the end."""
        process = subprocess.Popen([test_agent("actor"), *map(str, words)], env=self.env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.started.append(process)
        if is_ready:
            self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def shop(self, count=1, ttl=0, topic="orders.new", **options):
        return self.actor("pub", "shop", topic, count, ttl, **options)

    def stream(self, count, ttl=0):
        """As shop, and goes on: what is lost is lost again and again."""
        return self.actor("stream", "shop", "orders.new", count, ttl)

    def billing(self, policy="lossless", queue=1000, pause=0, pattern="orders.*"):
        return self.actor("sub", "billing", pattern, policy, queue, pause)

    def why(self, *words):
        done = self.abuzz("why", *words, "--json")
        self.assertTrue(done.stdout, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(done.returncode, 6 if said["broken"] else 0, done.stderr)
        return said

    def assert_cause(self, cause, *words, text=None):
        """It is broken, for this cause; not at once, where the bus needs time to notice."""
        words = words or ("orders.new",)
        said = self.wait_until(lambda: (lambda s: s["cause"] == cause and s)(self.why(*words)),
                               PATIENCE, f"{cause}; now {self.why(*words)}")
        first = said["paths"][0]
        self.assertTrue(first["advice"], first)
        if text:
            self.assertIn(text, first["text"] + "\n" + first["detail"])
        shown = self.abuzz("why", *words)
        self.assertEqual(shown.returncode, 6, shown.stderr)
        self.assertTrue(shown.stdout.startswith(words[0] + "  "), shown.stdout)
        self.assertIn("advice: ", shown.stdout)
        return said

    # -- wrong use ----------------------------------------------------------------------------

    def test_wrong_topics_and_no_node(self):
        self.assert_fails(self.abuzz("why", "a..b"), 2, "ABZ-0201")
        self.assert_fails(self.abuzz("why", "a.*"), 2, "ABZ-0201")
        self.assert_fails(self.abuzz("why", "a.b"), 4, "ABZ-0401")

    def test_another_runtime_directory_is_named(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        done = self.abuzz("why", "a.b", "--set", f"node.runtime_directory={self.base}/elsewhere")
        self.assert_fails(done, 4, "ABZ-0401")
        self.assertIn("another runtime directory, " + self.runtime, done.stderr)

    def other_bus(self):
        """The environment of another bus of this user; its node ends with the test."""
        base = self.make_directory()
        self.addCleanup(self.abuzz, "node", "stop", env={"XDG_RUNTIME_DIR": base})
        return {"XDG_RUNTIME_DIR": base}, os.path.join(base, "abuzz")

    def test_a_subscriber_on_another_bus(self):
        env, directory = self.other_bus()
        self.shop()
        self.assertEqual(self.abuzz("why", "orders.new").returncode, 6)
        self.subscribe("orders.*", "--name", "billing", env=env)
        said = self.assert_cause("other_directory", text="agent billing subscribes orders.* in "
                                 f"another runtime directory, {directory}")
        self.assertTrue(said["has_publisher"])
        self.assert_cause("no_match", "orders.new", "--to", "archive")

    def test_a_publisher_on_another_bus(self):
        env, directory = self.other_bus()
        self.billing()
        self.assertFalse(self.why("orders.new")["broken"])
        publisher = self.start("pub", "orders.new", "-", "--name", "shop", stdin=subprocess.PIPE,
                               env=env)
        said = self.assert_cause("other_directory", text=directory)
        self.assertEqual(said["paths"][0]["publisher"]["agent"], "shop")
        self.assert_cause("other_directory", "orders.new", "--from", "shop")
        self.assert_cause("no_publisher", "orders.new", "--from", "stall")
        publisher.kill()

    # -- whole --------------------------------------------------------------------------------

    def test_a_whole_path(self):
        self.billing()
        shop = self.shop(5)
        delivered = lambda: self.why("orders.new")["paths"][0]["delivered"] == 5
        self.wait_until(delivered, PATIENCE, "it is delivered")
        done = self.abuzz("why", "orders.new")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, rf"^orders.new  publisher shop \(pid {shop.pid}\)  ->  "
                         r"agent billing \(pid \d+\) subscribes orders.\*\n"
                         r" +5 messages delivered\n$")

    def test_without_a_publisher_the_way_of_a_message_published_now(self):
        self.billing()
        said = self.why("orders.new")
        self.assertEqual((said["broken"], said["has_publisher"]), (False, False))
        self.assertIn("nobody publishes it now", self.abuzz("why", "orders.new").stdout)
        self.assert_cause("no_match", "invoices.paid")
        self.assert_cause("no_publisher", "orders.new", "--from", "shop",
                          text="no agent is called shop")
        self.assert_cause("no_match", "orders.new", "--to", "biling",
                          text="no agent is called biling, but one is called billing")

    # -- the twelve faults --------------------------------------------------------------------

    def test_no_match(self):
        shop = self.shop()
        self.assert_cause("no_match")
        text = self.abuzz("why", "orders.new").stdout.splitlines()[0]
        self.assertEqual(text, f"orders.new  publisher shop (pid {shop.pid})  ->  "
                         "no subscription matches")

    def test_a_reserved_topic(self):
        # It is certain without a node.
        for topic in ("$sys.load", "$agents.billing.gone"):
            self.assert_cause("reserved_topic", topic, text="reserved topic")
        shown = self.abuzz("why", "$sys.load").stdout
        self.assertIn("no publisher  ->  reserved topic: agents cannot publish", shown)
        self.assertNotIn("nobody publishes it now", shown)

    def test_near_miss(self):
        self.shop()
        self.billing(pattern="orders.*.new")
        self.assert_cause("near_miss")
        lines = self.abuzz("why", "orders.new").stdout.splitlines()
        self.assertTrue(lines[0].endswith("  ->  no subscription matches"), lines)
        self.assertEqual(lines[1], "            near miss: agent billing subscribes orders.*.new "
                         "(one token more)")

    def test_queue_full_and_whose(self):
        self.billing("drop_new", 2, pause=1000)
        self.stream(100)
        self.assert_cause("queue_full", text="the queue of agent billing is full")

    def test_a_stopped_subscriber(self):
        billing = self.billing()
        self.shop()
        billing.send_signal(signal.SIGSTOP)
        said = self.assert_cause("subscriber_stopped", text="agent billing is stopped (SIGSTOP)")
        self.assertEqual(said["paths"][0]["advice"], f"let it go on: kill -CONT {billing.pid}")
        billing.send_signal(signal.SIGCONT)
        self.wait_until(lambda: not self.why("orders.new")["broken"], PATIENCE, "it goes on")

    def test_what_a_stopped_subscriber_has_lost_is_told_too(self):
        billing = self.billing("drop_new", 2)
        self.shop()
        billing.send_signal(signal.SIGSTOP)
        self.actor("pub", "stand", "orders.new", 50_000, 0)
        said = self.assert_cause("subscriber_stopped", "orders.new", "--from", "stand",
                                 text="queue full")
        self.assertRegex(said["paths"][0]["detail"], r"dropped of its queue so far: \S+ queue full")
        billing.send_signal(signal.SIGCONT)

    def test_a_stopped_publisher(self):
        self.billing()
        shop = self.shop()
        shop.send_signal(signal.SIGSTOP)
        self.assert_cause("publisher_stopped", text="publisher shop is stopped (SIGSTOP)")
        shop.send_signal(signal.SIGCONT)

    def test_a_stopped_node(self):
        self.billing()
        self.shop()
        node = self.node()["pid"]
        os.kill(node, signal.SIGSTOP)
        self.assert_cause("node_stopped", text="the node is stopped (SIGSTOP)")
        os.kill(node, signal.SIGCONT)

    def test_a_slow_handler(self):
        self.billing(pause=1000)
        self.shop(50)
        self.assert_cause("slow_handler", text="the handler of agent billing is slow")

    def test_a_killed_subscriber(self):
        billing = self.billing()
        self.shop()
        billing.kill()
        self.assert_cause("subscriber_gone", text="agent billing")
        self.wait_until(lambda: not self.ls()["subscriptions"], PATIENCE * SLOW, "the node knows")
        self.assert_cause("subscriber_gone", text="ended without a goodbye")

    def test_a_killed_subscriber_beside_another_one(self):
        billing = self.billing()
        self.actor("sub", "archive", "orders.>", "lossless", 1000, 0)
        self.shop()
        billing.kill()
        self.wait_until(lambda: len(self.ls()["subscriptions"]) == 1, PATIENCE, "the node knows")
        said = self.assert_cause("subscriber_gone", text="agent billing was killed or crashed")
        self.assertEqual(said["paths"][0]["pattern"], "orders.*")
        self.assertEqual(said["paths"][1]["subscriber"]["agent"], "archive")
        self.billing()
        self.assertFalse(self.why("orders.new")["broken"])

    def test_a_publisher_that_left_hides_nothing(self):
        billing = self.billing("drop_new", 2)
        self.actor("sub", "archive", "orders.>", "lossless", 100_000, 0)
        billing.send_signal(signal.SIGSTOP)
        self.assertEqual(self.abuzz("pub", "orders.new", "x", "-n", "5000", "--name", "shop",
                                    "--timeout", "2s").returncode, 0)
        said = self.assert_cause("subscriber_stopped", text="queue full")
        self.assertFalse(said["has_publisher"])
        self.assertEqual(said["paths"][1]["text"], "5,000 messages delivered")
        self.assertEqual(self.why("orders.new", "--from", "shop")["cause"], "subscriber_stopped")
        shown = self.abuzz("why", "orders.new").stdout
        self.assertIn("publisher shop (has left)  ->  agent billing", shown)
        topic = self.ls()["topics"][0]
        self.assertEqual((topic["publishers"], topic["messages"]), (0, 5000))
        self.assertIn("orders.new by shop, which has left", self.abuzz("info", "orders.new").stdout)
        billing.send_signal(signal.SIGCONT)

    def test_where_only_requests_are_answered(self):
        reply = self.start("reply", "text.up", "--exec", "cat", "--name", "up")
        replies = lambda: self.agents() and self.ls()["subscriptions"]
        self.wait_until(replies, PATIENCE, "it replies")
        self.assert_cause("only_responders", "text.up", text="agent up replies to requests there")
        self.assert_cause("no_match", "text.upp")
        self.assertFalse(self.why("text.up", "--request")["broken"])
        shown = self.abuzz("why", "text.up", "--request").stdout
        self.assertIn("no publisher  ->  the responders to requests on text.up", shown)
        self.assert_cause("near_miss", "text.upp", "--request", text="replies on text.up")
        reply.kill()

    def test_expired(self):
        self.billing(pause=1000)
        self.stream(20, ttl=100)
        self.assert_cause("expired", text="the time to live is over")

    def test_conflated(self):
        self.billing("latest", 10, pause=1000)
        self.stream(100)
        self.assert_cause("conflated", text="keeps only the latest")

    def test_what_was_lost_once_is_told_and_breaks_nothing(self):
        self.billing("drop_new", 2, pause=20)
        self.shop(100)
        whole = lambda: (lambda said: not said["broken"] and said)(self.why("orders.new"))
        said = self.wait_until(whole, PATIENCE, "it is over")
        self.assertRegex(said["paths"][0]["detail"],
                         r"^dropped some time ago: \d+ queue full, of 100 messages$")
        self.assertIn("dropped some time ago", self.abuzz("why", "orders.new").stdout)

    def test_a_lossless_hold_and_who_holds_whom(self):
        billing = self.billing(queue=10)
        self.actor("sub", "archive", "orders.>", "drop_new", 1000, 0)
        billing.send_signal(signal.SIGSTOP)
        self.shop(100_000, is_ready=False)
        self.assert_cause("lossless_hold", "orders.new", "--to", "archive",
                          text="publisher shop is held by agent billing")
        held = "publisher shop is held by agent billing (orders.*): "
        for name in ("orders.new", "shop", "billing"):
            self.assertIn(held, self.abuzz("info", name).stdout)
        self.assertEqual(self.ls()["topics"][0]["held_by"], ["billing"])
        self.assertRegex(self.abuzz("ls", "topics").stdout, r"HELD BY\norders.new .* billing\n")
        self.assert_cause("subscriber_stopped", "orders.new", "--to", "billing",
                          text="it holds publisher shop")
        billing.send_signal(signal.SIGCONT)

    def test_a_subscriber_past_its_stall_limit(self):
        self.env["ABUZZ_SUBSCRIPTION__STALL_LIMIT"] = "300ms"
        billing = self.billing(queue=10)
        billing.send_signal(signal.SIGSTOP)
        self.shop(200, is_ready=False)
        self.assert_cause("stalled_out", text="stood still past its stall limit")
        billing.send_signal(signal.SIGCONT)

    def test_a_session_without_a_sign_of_life(self):
        self.env.update({"ABUZZ_NODE__BEAT": "100ms", "ABUZZ_NODE__STALLED_AFTER": "1s"})
        billing = self.billing()
        self.shop()
        billing.send_signal(signal.SIGSTOP)
        stalled = lambda: any(a["name"] == "billing" and a["state"] == "stalled"
                              for a in self.ls()["agents"])
        self.wait_until(stalled, PATIENCE, "it is stalled")
        # The process says more than the session does.
        self.assert_cause("subscriber_stopped")
        billing.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
