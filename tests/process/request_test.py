"""request and reply: commands that work, fail, are killed, never end, are cancelled, and die."""

import json
import signal
import subprocess
import time
import unittest

from bus_case import PATIENCE, SLOW, BusCase


class Requests(BusCase):
    def reply(self, pattern, command, *words, **options):
        """Starts `abuzz reply` and returns when it is confirmed."""
        process = self.start("reply", pattern, "--exec", command, *words, **options)
        line = process.stderr.readline().decode()
        self.assertTrue(line.startswith("replies to "), line)
        return process

    def runs(self, command):
        """Pids of processes of this test whose command line contains it."""
        return [pid for pid, line in self.processes().items()
                if command in line and "abuzz" not in line]

    # -- wrong use ----------------------------------------------------------------------------

    def test_wrong_topics_patterns_and_flags(self):
        self.assert_fails(self.abuzz("request", "a..b", "x"), 2, "ABZ-0201")
        self.assert_fails(self.abuzz("request", "a.*", "x"), 2, "ABZ-0201")
        self.assert_fails(self.abuzz("request", "$reply.0000000000000001", "x"), 7, "ABZ-0203")
        self.assert_fails(self.abuzz("reply", "a..b", "--exec", "cat"), 2, "ABZ-0202")
        self.assert_fails(self.abuzz("reply", "$reply.>", "--exec", "cat"), 7, "ABZ-0203")
        self.assert_fails(self.abuzz("reply", "a.b"), 2, "ABZ-1003")
        self.assert_fails(self.abuzz("request", "a.b", "x", "--raw", "--json"), 2, "ABZ-1002")
        self.assert_fails(self.abuzz("pub", "$reply.0000000000000001", "x"), 7, "ABZ-0203")

    def test_a_failure_is_told_to_programs_too(self):
        done = self.abuzz("request", "a.b", "x", "--json")
        self.assert_fails(done, 9, "ABZ-0905")
        said = json.loads(done.stdout)
        self.assertEqual((said["kind"], said["error"]), ("failed", "ABZ-0905"))
        self.assertIn("nobody replies to requests on a.b", said["text"])
        self.assertEqual(json.loads(done.stderr)["text"], said["text"])

    # -- replies ------------------------------------------------------------------------------

    def test_what_the_command_prints_is_the_reply(self):
        self.reply("text.*", "tr a-z A-Z; printf ' %s' \"$ABUZZ_TOPIC\"")
        done = self.abuzz("request", "text.upper", "hello")
        self.assertEqual((done.returncode, done.stdout), (0, "HELLO text.upper\n"), done.stderr)
        done = self.abuzz("request", "text.upper", "-", "--raw", stdin="two\nlines\n")
        self.assertEqual((done.returncode, done.stdout), (0, "TWO\nLINES\n text.upper"))
        done = self.abuzz("request", "text.upper", "hello", "--json")
        said = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([item["kind"] for item in said][-1], "last")
        self.assertEqual(said[-1]["payload"], "HELLO text.upper")
        self.assertEqual(said[-1]["v"], 1)

    def test_a_mebibyte_comes_back_and_more_is_refused(self):
        self.reply("big.*", "head -c $(cat) /dev/zero | tr '\\0' x")
        done = self.abuzz("request", "big.one", str(1 << 20), "--raw")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "x" * (1 << 20))
        done = self.abuzz("request", "big.one", str((1 << 20) + 1), "--raw")
        self.assert_fails(done, 1, "ABZ-0908")
        self.assertIn("1048576", done.stderr)

    def test_a_request_of_a_mebibyte_goes_there(self):
        self.reply("big.*", "wc -c")
        done = self.abuzz("request", "big.one", "-", stdin="y" * (1 << 20))
        self.assertEqual((done.returncode, done.stdout), (0, "1048576\n"), done.stderr)
        done = self.abuzz("request", "big.one", "-", stdin="y" * ((1 << 20) + 1))
        self.assert_fails(done, 1, "ABZ-0601")

    def test_a_responder_ends_after_so_many_requests(self):
        responder = self.reply("text.*", "cat", "--count", "2")
        for text in ("one", "two"):
            self.assertEqual(self.abuzz("request", "text.echo", text).stdout, text + "\n")
        self.assertEqual(self.finish(responder)[0], 0)

    # -- no reply -----------------------------------------------------------------------------

    def test_without_a_responder_it_is_undelivered_at_once(self):
        self.assertEqual(self.abuzz("node", "start").returncode, 0)
        start = time.monotonic()
        done = self.abuzz("request", "nobody.there", "x")
        self.assert_fails(done, 9, "ABZ-0905")
        self.assertLess(time.monotonic() - start, 5 * SLOW)

    def test_who_only_listens_is_no_responder(self):
        reader = self.subscribe(">")
        self.assert_fails(self.abuzz("request", "nobody.there", "x"), 9, "ABZ-0905")
        self.reply("some.*", "cat")
        self.assertEqual(self.abuzz("request", "some.one", "x").stdout, "x\n")
        reader.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(reader)[1], "")

    def test_at_the_deadline_it_is_timed_out_and_the_command_ends(self):
        self.reply("slow.*", "sleep 1001")
        start = time.monotonic()
        done = self.abuzz("request", "slow.one", "x", "--timeout", "2s")
        self.assert_fails(done, 5, "ABZ-0703")
        self.assertLess(time.monotonic() - start, PATIENCE)
        self.wait_until(lambda: not self.runs("sleep 1001"), PATIENCE, "the command ends")

    def test_silence_is_not_what_a_command_that_runs_is(self):
        self.reply("slow.*", "sleep 3; echo done")
        done = self.abuzz("request", "slow.one", "x", "--idle", "2500ms")
        self.assertEqual((done.returncode, done.stdout), (0, "done\n"), done.stderr)

    def test_a_command_that_fails_or_is_killed_fails_the_request(self):
        self.reply("bad.exit", "echo half; exit 3")
        self.reply("bad.kill", "kill -9 $$")
        self.reply("bad.missing", "no-such-command-here", stderr=subprocess.PIPE)
        for topic, text in (("bad.exit", "exit code 3"), ("bad.kill", "signal 9"),
                            ("bad.missing", "exit code 127")):
            done = self.abuzz("request", topic, "x")
            self.assert_fails(done, 1, "ABZ-0908")
            self.assertIn(text, done.stderr)
            self.assertEqual(done.stdout, "")

    # -- ends ---------------------------------------------------------------------------------

    def test_an_interrupt_cancels_the_request_and_ends_the_command(self):
        self.reply("slow.*", "sleep 1002")
        asker = self.start("request", "slow.one", "x")
        self.wait_until(lambda: self.runs("sleep 1002"), PATIENCE, "the command runs")
        asker.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(asker)[0], 130)
        self.wait_until(lambda: not self.runs("sleep 1002"), PATIENCE, "the command ends")

    def test_a_command_that_ignores_sigterm_is_killed(self):
        self.reply("slow.*", "trap '' TERM; while :; do sleep 0.1003; done")
        done = self.abuzz("request", "slow.one", "x", "--timeout", "1s")
        self.assert_fails(done, 5, "ABZ-0703")
        self.wait_until(lambda: not self.runs("0.1003"), PATIENCE, "the command is killed")

    def test_a_responder_that_is_killed_is_known_within_a_second(self):
        for round_no in range(5):
            with self.subTest(round_no):
                responder = self.reply("slow.*", "exec sleep 1004")
                asker = self.start("request", "slow.one", "x")
                self.wait_until(lambda: self.runs("sleep 1004"), PATIENCE, "the command runs")
                start = time.monotonic()
                responder.kill()
                code, _, err = self.finish(asker)
                took = time.monotonic() - start
                self.assertEqual(code, 1, err)
                self.assertTrue(err.startswith("ABZ-0906 "), err)
                self.assertLess(took, 1 * SLOW)
                self.wait_until(lambda: not self.runs("sleep 1004"), PATIENCE, "the command ends")

    def test_a_responder_that_is_stopped_fails_its_request_and_ends_its_command(self):
        responder = self.reply("slow.*", "sleep 1005")
        asker = self.start("request", "slow.one", "x")
        self.wait_until(lambda: self.runs("sleep 1005"), PATIENCE, "the command runs")
        responder.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(responder)[0], 143)
        code, _, err = self.finish(asker)
        self.assertEqual(code, 1, err)
        self.assertTrue(err.startswith("ABZ-0906 "), err)
        self.assertEqual(self.runs("sleep 1005"), [])

    def test_the_ledger_balances_afterwards(self):
        self.reply("text.*", "cat")
        for number in range(5):
            self.assertEqual(self.abuzz("request", "text.echo", str(number)).returncode, 0)
        self.abuzz("request", "nobody.there", "x")
        done = self.abuzz("audit")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
