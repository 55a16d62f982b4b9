"""pub and sub: what goes in comes out, in order, once, in the form that was asked for."""

import json
import os
import re
import tempfile
import unittest

from bus_case import PATIENCE, BusCase

PAYLOAD_MAX = 1 << 20
WAIT = ("--timeout", f"{PATIENCE}s")


class RoundTrip(BusCase):
    def test_a_message_arrives_and_its_publisher_knows(self):
        reader = self.subscribe("demo.>", "--count", "1", *WAIT)
        done = self.abuzz("pub", "demo.hello", '{"text":"hi"}')
        self.assertEqual(done.stdout, "delivered 1 of 1 · dropped 0 · zmq ipc\n")
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.finish(reader)[:2], (0, 'demo.hello\t{"text":"hi"}\n'))

    def test_raw_prints_the_payload_alone(self):
        reader = self.subscribe("a", "--raw", "--count", "2", *WAIT)
        self.abuzz("pub", "a", "-", stdin="one\ntwo\n")
        self.assertEqual(self.finish(reader)[:2], (0, "one\ntwo\n"))

    def test_json_is_an_object_a_line(self):
        reader = self.subscribe("a.*", "--json", "--count", "3", *WAIT)
        done = self.abuzz("pub", "a.b", "-", "--json", stdin='say "hi"\n\nthird\n')
        said = json.loads(done.stdout)
        self.assertEqual((said["v"], said["published"], said["delivered"]), (1, 3, 3))
        code, out, _ = self.finish(reader)
        messages = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(code, 0)
        self.assertEqual([m["payload"] for m in messages], ['say "hi"', "", "third"])
        self.assertEqual([m["sequence"] for m in messages], [1, 2, 3])
        self.assertEqual({(m["v"], m["topic"]) for m in messages}, {(1, "a.b")})

    def test_twenty_thousand_lines_keep_their_order(self):
        count = 20_000
        reader = self.subscribe("lines", "--raw", "--count", str(count), *WAIT)
        publisher = self.start("pub", "lines", "-", stdin=-1)
        publisher.stdin.write("".join(f"line {i}\n" for i in range(count)).encode())
        publisher.stdin.close()
        publisher.stdin = None
        code, out, _ = self.finish(reader)
        self.assertEqual(code, 0)
        self.assertEqual(out.split("\n")[:-1], [f"line {i}" for i in range(count)])
        self.assertEqual(self.finish(publisher)[0], 0)

    def test_count_repeats_the_text(self):
        reader = self.subscribe("a", "--raw", "--count", "500", *WAIT)
        done = self.abuzz("pub", "a", "x", "--count", "500", "--lane", "bulk")
        self.assertIn("delivered 500 of 500", done.stdout)
        self.assertEqual(self.finish(reader)[:2], (0, "x\n" * 500))

    def test_a_key_is_a_number_or_a_text(self):
        reader = self.subscribe("a", "--json", "--count", "3", *WAIT)
        for flags in (["--key", "7"], ["--key", "blue"], []):
            self.assertEqual(self.abuzz("pub", "a", "x", *flags).returncode, 0)
        messages = [json.loads(line) for line in self.finish(reader)[1].splitlines()]
        self.assertEqual([m.get("key", 0) for m in messages], [7, 0xC5CCD29BC2DDA64D, 0])

    def test_a_message_with_time_to_live_arrives_in_time(self):
        reader = self.subscribe("a", "--raw", "--count", "1", *WAIT)
        self.assertEqual(self.abuzz("pub", "a", "x", "--ttl", "1h").returncode, 0)
        self.assertEqual(self.finish(reader)[:2], (0, "x\n"))

    def test_policies_keep_what_they_say(self):
        for policy in ("lossless:10s", "latest:5", "drop_old", "drop_new"):
            with self.subTest(policy=policy):
                topic = "policy." + policy.split(":")[0]
                reader = self.subscribe(topic, "--raw", "--count", "5", "--policy", policy, *WAIT)
                self.assertEqual(self.ls()["subscriptions"][0]["policy"], policy.split(":")[0])
                self.assertEqual(self.abuzz("pub", topic, "x", "--count", "5").returncode, 0)
                self.assertEqual(self.finish(reader)[:2], (0, "x\n" * 5))

    def test_rate_spreads_messages(self):
        reader = self.subscribe("a", "--raw", "--count", "11", *WAIT)
        done = self.abuzz("pub", "a", "x", "--count", "11", "--rate", "20", "--json")
        self.assertEqual(json.loads(done.stdout)["delivered"], 11)
        self.assertEqual(self.finish(reader)[0], 0)

    def test_a_line_of_the_payload_limit_passes_and_one_more_byte_does_not(self):
        for size in (PAYLOAD_MAX - 1, PAYLOAD_MAX):
            reader = self.subscribe("big", "--raw", "--count", "1", *WAIT)
            done = self.abuzz("pub", "big", "-", stdin="x" * size)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(self.finish(reader)[1]), size + 1)
        reader = self.subscribe("big", "--raw", "--count", "1", *WAIT)
        done = self.abuzz("pub", "big", "-", stdin="first\n" + "x" * (PAYLOAD_MAX + 1) + "\nlast\n")
        self.assert_fails(done, 1, "ABZ-0601")
        self.assertIn("line 2", done.stderr)
        self.assertIn("delivered 1 of 1", done.stdout)
        self.assertEqual(self.finish(reader)[1], "first\n")

    def test_every_subscription_gets_every_message(self):
        readers = [self.subscribe(pattern, "--raw", "--count", "50", *WAIT)
                   for pattern in ("a.b", "a.*", "a.>", "*.b", ">")]
        done = self.abuzz("pub", "a.b", "x", "--count", "50")
        self.assertEqual(done.returncode, 0, done.stderr)
        for reader in readers:
            self.assertEqual(self.finish(reader)[:2], (0, "x\n" * 50))

    def test_a_queue_shorter_than_a_batch_holds_nobody_for_ever(self):
        # Into a file: a pipe has room for sixteen writes, however short, and would hold the reader.
        lines = "".join(f"{i}\n" for i in range(10_000))
        for queue in (1, 10, 100, 1000, 3000):
            with self.subTest(queue=queue), tempfile.TemporaryFile() as file:
                topic = f"queue.of-{queue}"
                reader = self.subscribe(topic, "--raw", "--queue", str(queue), "--count", "10000",
                                        "--timeout", f"{PATIENCE}s", stdout=file)
                done = self.abuzz("pub", topic, "-", stdin=lines)
                self.assertEqual(done.returncode, 0, done.stderr)
                code, _, err = self.finish(reader)
                file.seek(0)
                self.assertEqual((code, file.read().decode() == lines), (0, True), err)

    def test_credit_that_is_asked_for_ahead_of_the_data_is_given(self):
        # Many full batches at once: what is wanted next is more than the queue holds beside them.
        path = os.path.join(self.base, "text")
        with open(path, "w", encoding="utf-8") as file:
            file.write("the quick brown fox jumps over a lazy dog\n" * 1_000_000)
        done = self.abuzz("demo", path, "--top", "0", "--timeout", "10s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("equal to the count by one process", done.stdout)

    def test_patterns_that_do_not_match_get_nothing(self):
        reader = self.subscribe("a.*", "--timeout", "500ms")
        done = self.abuzz("pub", "a.b.c", "x")
        self.assert_fails(done, 9, "ABZ-0901")
        self.assertEqual(self.finish(reader)[:2], (0, ""))

    def test_nobody_subscribes_is_told(self):
        done = self.abuzz("pub", "demo.nobody", "hi")
        self.assert_fails(done, 9, "ABZ-0901")
        self.assertIn("nobody subscribes to demo.nobody: delivered to no one", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_nothing_to_publish_is_no_error(self):
        done = self.abuzz("pub", "a", "-", stdin="")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "delivered 0 of 0 · dropped 0 · zmq ipc\n"))

    def test_ls_and_info_show_who_is_there(self):
        self.subscribe("orders.*", "--name", "billing")
        self.abuzz("pub", "orders.new", "x", "--count", "7")
        listed = self.ls()
        self.assertEqual(listed["v"], 1)
        self.assertIn("billing", [agent["name"] for agent in listed["agents"]])
        subscription = listed["subscriptions"][0]
        self.assertEqual((subscription["pattern"], subscription["agent"], subscription["policy"]),
                         ("orders.*", "billing", "lossless"))
        self.assertIn("billing", self.abuzz("ls").stdout)
        self.assertIn("orders.*", self.abuzz("ls", "subscriptions").stdout)
        self.assertNotIn("orders.*", self.abuzz("ls", "agents").stdout)
        for name in ("billing", "orders.*", "orders.new", "node"):
            done = self.abuzz("info", name)
            self.assertEqual(done.returncode, 0, done.stderr)
            entries = json.loads(self.abuzz("info", name, "--json").stdout)["entries"]
            self.assertTrue(entries)
        ledger = json.loads(self.abuzz("info", "orders.new", "--json").stdout)["ledger"]
        self.assertEqual((ledger["published"], ledger["delivered"]), (7, 7))
        self.assertRegex(self.abuzz("info", "orders.new").stdout,
                         r"^ledger orders.new\n  7 published = 7 routed\n"
                         r"  7 matched = 7 delivered\n")
        self.assertRegex(self.abuzz("info", "node").stdout, r"last beat +[0-9.]+m?s ago\n")
        done = self.abuzz("info", "biling")
        self.assert_fails(done, 1, "ABZ-1006")
        self.assertIn("did you mean billing?", done.stderr)

    def test_info_tells_what_only_the_agent_counts(self):
        self.subscribe("orders.*", "--name", "billing")
        self.assertEqual(self.abuzz("pub", "orders.new", "x", "--count", "7").returncode, 0)
        done = self.abuzz("info", "billing")
        self.assertRegex(done.stdout, r"received +7\n")
        self.assertRegex(done.stdout, r"handlers finished +7\n")
        publisher = self.start("pub", "orders.new", "-", "--name", "shop", stdin=-1)
        publisher.stdin.write(b"one\ntwo\n")
        publisher.stdin.flush()

        def accepted():
            done = self.abuzz("info", "shop")
            return done if re.search(r"accepted by the node +2\n", done.stdout) else None

        done = self.wait_until(accepted, PATIENCE, "two messages")
        self.assertRegex(done.stdout, r"published +2\n")
        self.assertNotIn("time held", done.stdout)
        self.assertNotRegex(done.stdout, r"sent again +0\n")
        self.assertRegex(self.abuzz("info", "shop", "--all").stdout, r"sent again +0\n")
        entries = json.loads(self.abuzz("info", "shop", "--json").stdout)["entries"]
        self.assertEqual(entries[0]["counters"]["state"], "ready")
        self.assertEqual(entries[1]["counters"]["pushed"], 2)
        entries = json.loads(self.abuzz("info", "orders.*", "--json").stdout)["entries"]
        self.assertEqual(entries[0]["counters"]["policy"], "lossless")
        self.assertEqual(entries[0]["counters"]["finished"], 9)
        # A file that is gone says nothing: not even zero.
        os.unlink(os.path.join(self.runtime, "agents", f"shop-{publisher.pid}.counters"))
        done = self.abuzz("info", "shop")
        self.assertNotRegex(done.stdout, r"published ")
        self.assertRegex(done.stdout, r"accepted by the node +2\n")

    def test_a_name_is_taken_once(self):
        self.subscribe("a", "--name", "only")
        done = self.abuzz("sub", "a", "--name", "only", "--timeout", "1s")
        self.assert_fails(done, 1, "ABZ-0502")


if __name__ == "__main__":
    unittest.main(verbosity=2)
