"""What shells and pipes do to a verb: Ctrl-C, a reader that leaves, output nobody can take."""

import json
import os
import re
import signal
import subprocess
import unittest

from bus_case import PATIENCE, SLOW, BusCase

# `why` also looks at other buses of this user: those of other tests do not have it.
TOPIC = "ending.test"
# Each with its words; a node and an agent "reader" on the topic are there.
PRINTING = [
    ["--help"], ["version"], ["errors"], ["doctor"], ["topo"], ["config", "show"],
    ["config", "explain", "node"], ["config", "init", "-"], ["ls"],
    ["ls", "--json"], ["info", "node"], ["info", "reader"],
    ["audit"], ["audit", "--json"], ["why", TOPIC], ["why", TOPIC, "--json"],
    ["node", "--help"], ["node", "start"], ["node", "status"], ["node", "status", "--json"],
    ["pub", TOPIC, "x"], ["pub", TOPIC, "x", "--json"], ["pub", "--help"],
    ["bench", "pubsub", "--runs", "1", "--duration", "20ms"],
    ["bench", "pubsub", "--runs", "1", "--duration", "20ms", "--json"],
    ["demo", "{texts}"], ["demo", "{texts}", "--json"],
    ["node", "drain"], ["node", "stop"], ["node", "stop", "--json"],
]
# What waits, and what it says on stderr or stdout once it does; nothing: it is given half a second.
WAITING = [
    (["sub", "a"], "subscribed"),
    (["pub", "a", "-"], ""),
    (["node", "run"], "node ready"),
    (["bench", "pubsub", "--runs", "1", "--duration", "1min"], ""),
]


class Endings(BusCase):
    def setUp(self):
        super().setUp()
        self.texts = os.path.join(self.base, "texts")
        os.mkdir(self.texts)
        with open(os.path.join(self.texts, "one"), "w", encoding="utf-8") as file:
            file.write("a word and a word\n" * 100)

    def words(self, words):
        return [word.format(texts=self.texts) for word in words]

    def test_output_that_cannot_be_written_is_exit_1_in_every_verb(self):
        self.subscribe(TOPIC, "--name", "reader")
        for words in PRINTING:
            with self.subTest(words=words), open("/dev/full", "wb") as full:
                code, _, err = self.finish(self.start(*self.words(words), stdout=full))
                self.assertEqual(code, 1, err)
                self.assertRegex(err, r'(?m)^(ABZ-0101 |\{.*"ABZ-0101").*write to stdout')

    def test_a_node_that_cannot_say_that_it_is_ready_does_not_run(self):
        with open("/dev/full", "wb") as full:
            code, _, err = self.finish(self.start("node", "run", "--json", stdout=full))
        self.assertEqual(code, 1, err)

    def test_an_interrupt_ends_also_what_a_script_started_in_its_background(self):
        def ignore():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

        reader = self.subscribe("a", before=ignore)
        reader.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(reader)[0], 130)

    def test_messages_that_cannot_be_written_end_sub(self):
        with open("/dev/full", "wb") as full:
            reader = self.subscribe("a", stdout=full)
            self.abuzz("pub", "a", "x")
            code, _, err = self.finish(reader)
        self.assertEqual(code, 1, err)
        self.assertRegex(err, "(?m)^ABZ-0101 .*write to stdout")

    def test_a_reader_that_leaves_is_no_fault_in_any_verb(self):
        self.subscribe(TOPIC, "--name", "reader")
        for words in PRINTING:
            with self.subTest(words=words):
                gone, end = os.pipe()
                os.close(gone)
                process = self.start(*self.words(words), stdout=end)
                os.close(end)
                code, _, err = self.finish(process)
                self.assertEqual((code, err), (0, ""))

    def test_ctrl_c_ends_every_verb_that_waits_with_130(self):
        for words, sign in WAITING:
            with self.subTest(words=words):
                process = self.start(*words, stdin=subprocess.PIPE)
                if sign:
                    self.assertTrue(any(sign in line.decode() for line in process.stderr), words)
                else:
                    self.wait_until(lambda: self.node() is not None or "bench" in words, PATIENCE,
                                    "a node was started")
                    self.assertRaises(subprocess.TimeoutExpired, process.wait, 0.5)
                process.send_signal(signal.SIGINT)
                # With stdin still open: nobody has pressed Ctrl-D.
                self.assertEqual(process.wait(3 * SLOW), 130)
                self.assertNotIn(b"ABZ-", process.stderr.read())
                process.stdin.close()
            self.abuzz("node", "stop")

    def test_ctrl_c_ends_the_demo_with_130(self):
        with open(os.path.join(self.texts, "one"), "a", encoding="utf-8") as file:
            file.write("many words and many more of them in a line\n" * 1_000_000)
        process = self.start("demo", self.texts)
        self.wait_until(self.node, PATIENCE, "a node was started")
        process.send_signal(signal.SIGINT)
        code, out, err = self.finish(process, 3 * SLOW)
        self.assertEqual((code, out), (130, ""), err)

    def test_advice_names_only_commands_that_exist(self):
        done = self.abuzz("errors", "--json")
        named = set()
        for error in json.loads(done.stdout)["errors"]:
            named |= set(re.findall(r"`abuzz ([a-z ]+[a-z])", error["advice"]))
        self.assertTrue(named)
        for words in sorted(named):
            with self.subTest(words=words):
                self.assertEqual(self.abuzz(*words.split(), "--help").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
