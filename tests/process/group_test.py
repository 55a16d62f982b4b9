"""Groups with real processes: who is killed loses nothing, what always fails is listed.

The judge is what the workers wrote down themselves, not what the bus counts; `audit` must agree.
"""

import json
import os
import signal
import time
import unittest

from bus_case import PATIENCE
from group_case import GroupCase


class Group(GroupCase):
    def test_killed_workers_lose_nothing(self):
        self.run_kills("manual", 10)

    def test_killed_workers_without_acknowledgements_lose_nothing(self):
        self.run_kills("auto", 10)

    def test_what_a_killed_worker_had_is_tried_again_at_once(self):
        first = self.worker("first", "manual", 60_000_000)
        publisher = self.publisher()
        publisher.stdin.write(b"a\nb\n")
        publisher.stdin.close()
        publisher.stdin = None
        self.wait_until(lambda: self.leased() > 0, PATIENCE, "leased")
        self.worker("second")
        began = time.monotonic()
        self.kill(first)
        code, out, err = self.finish(publisher)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(code, 0, out + err)
        self.assertIn((2, True), sum(self.done().values(), []))

    def test_a_killed_node_loses_nothing(self):
        self.worker("w0", "manual", 2000)
        self.worker("w1", "manual", 2000)
        publisher = self.publisher()
        names = [f"job{n}" for n in range(600)]
        for kill in range(3):
            for name in names[200 * kill:200 * (kill + 1)]:
                publisher.stdin.write(name.encode() + b"\n")
            publisher.stdin.flush()
            time.sleep(0.2)
            os.kill(next(iter(self.node_processes())), signal.SIGKILL)
            time.sleep(0.3)
        publisher.stdin.close()
        publisher.stdin = None
        self.wait_until(lambda: len(self.done()) == len(names), PATIENCE * 2, "all done")
        self.assert_each_done(names)
        self.finish(publisher, PATIENCE * 2)
        self.assert_balanced()

    # -- poison -------------------------------------------------------------------------------

    def test_poison_ends_as_a_dead_letter(self):
        env = {"ABUZZ_SUBSCRIPTION__ATTEMPTS_MAX": "3"}
        self.worker("w0", env=env)
        self.worker("w1", env=env)
        publisher = self.publisher()
        publisher.stdin.write(b"good1\npoison one\ngood2\n")
        publisher.stdin.flush()
        self.wait_until(lambda: self.dead_letters(), PATIENCE, "a dead letter")
        letter = self.dead_letters()[0]
        self.assertEqual(letter["payload"], "poison one")
        self.assertEqual((letter["topic"], letter["group"]), ("jobs.new", "team"))
        self.assertEqual((letter["cause"], letter["attempts"]), ("nak", 3))
        self.assertEqual([h["attempt"] for h in letter["history"]], [1, 2, 3])
        self.assertLessEqual({h["agent"] for h in letter["history"]}, {"w0", "w1"})
        shown = self.abuzz("dead", "ls")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("poison one", shown.stdout)
        for which in (str(letter["id"]), "jobs.new"):
            shown = self.abuzz("dead", "show", which)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertIn("attempt 3", shown.stdout)
            self.assertIn("poison one", shown.stdout)
        shown = self.abuzz("dead", "show", str(letter["id"]), "--raw")
        self.assertEqual((shown.returncode, shown.stdout), (0, "poison one"))
        self.assert_fails(self.abuzz("dead", "show", "99"), 1, "ABZ-1006")
        self.assert_fails(self.abuzz("dead", "show", "99", "--json"), 1, "ABZ-1006")
        why = self.abuzz("why", "jobs.new", "--json")
        self.assertEqual(why.returncode, 6)
        self.assertEqual(json.loads(why.stdout)["cause"], "dead_lettered")
        code, out, err = self.finish(publisher)
        self.assertEqual(code, 9, out + err)
        self.assertEqual(set(self.done()), {"good1", "good2"})
        self.assert_balanced()

    def test_a_message_that_kills_its_workers_dies_alone(self):
        env = {"ABUZZ_SUBSCRIPTION__ATTEMPTS_MAX": "2"}
        workers = [self.worker(f"w{n}", env=env) for n in range(3)]
        publisher = self.publisher()
        names = [f"job{n}" for n in range(20)]
        publisher.stdin.write("\n".join(names[:10] + ["kill"] + names[10:]).encode() + b"\n")
        publisher.stdin.flush()
        self.wait_until(lambda: self.dead_letters(), PATIENCE, "a dead letter")
        self.assertEqual([l["payload"] for l in self.dead_letters()], ["kill"])
        self.assertEqual(self.dead_letters()[0]["cause"], "member_gone")
        self.assertEqual(len([w for w in workers if w.poll() is not None]), 2)
        self.finish(publisher)
        self.assert_each_done(names)
        self.assert_balanced()

    # -- the command --------------------------------------------------------------------------

    def test_readers_of_a_group_share(self):
        readers = [self.subscribe("jobs.*", "--group", "team", "--raw", "--mode", "round_robin")
                   for _ in range(2)]
        done = self.abuzz("pub", "jobs.new", "hello", "--count", "20")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = []
        for reader in readers:
            reader.send_signal(signal.SIGTERM)
            _, out, _ = self.finish(reader)
            lines.append(out.count("hello"))
        self.assertEqual(sum(lines), 20)
        self.assertTrue(all(lines), lines)

    def test_what_was_not_written_is_not_acknowledged(self):
        reader = self.subscribe("jobs.*", "--group", "team", "--ack", "--raw", "--count", "3")
        publisher = self.start("pub", "jobs.new", "x", "--count", "5")
        code, out, _ = self.finish(reader)
        self.assertEqual((code, out), (0, "x\nx\nx\n"))
        second = self.subscribe("jobs.*", "--group", "team", "--ack", "--raw", "--count", "2")
        self.assertEqual(self.finish(second)[1], "x\nx\n")
        self.assertEqual(self.finish(publisher)[0], 0)
        self.assert_balanced()

    def test_wrong_use(self):
        self.assert_fails(self.abuzz("dead", "ls"), 4, "ABZ-0401")
        self.assert_fails(self.abuzz("sub", "a.b", "--ack"), 2, "ABZ-1002")
        self.assert_fails(self.abuzz("sub", "a.b", "--group", "g", "--mode", "x"), 2, "ABZ-1002")
        self.assert_fails(self.abuzz("sub", "a.b", "--group", "two words"), 2, "ABZ-0501")
        self.assert_fails(self.abuzz("dead", "bury"), 2, "ABZ-1004")
        self.subscribe("jobs.*", "--group", "team")
        self.assert_fails(self.abuzz("sub", "jobs.*", "--group", "team", "--ack"), 2, "ABZ-0607")

    def test_a_group_without_members_is_named(self):
        reader = self.subscribe("jobs.*", "--group", "team")
        self.kill(reader)
        publisher = self.start("pub", "jobs.new", "x")
        self.wait_until(lambda: self.abuzz("why", "jobs.new").returncode == 6, PATIENCE, "why")
        why = json.loads(self.abuzz("why", "jobs.new", "--json").stdout)
        self.assertEqual(why["cause"], "no_member")
        self.assertIn("group team", why["paths"][0]["text"])
        self.subscribe("jobs.*", "--group", "team")
        self.assertEqual(self.finish(publisher)[0], 0)


if __name__ == "__main__":
    unittest.main()
