"""Every bad input ends with its exit code and a line that starts with its ABZ id."""

import os
import stat
import time
import unittest

from bus_case import PATIENCE, BusCase, limit_descriptors

BAD = [
    # words, exit code, id
    (["pbu"], 2, "ABZ-1004"),
    (["--frob"], 2, "ABZ-1001"),
    (["node"], 2, "ABZ-1003"),
    (["node", "strat"], 2, "ABZ-1004"),
    (["config", "shwo"], 2, "ABZ-1004"),
    (["pub"], 2, "ABZ-1003"),
    (["pub", "a"], 2, "ABZ-1003"),
    (["pub", "a", "b", "c"], 2, "ABZ-1001"),
    (["pub", "", "x"], 2, "ABZ-0201"),
    (["pub", "a..b", "x"], 2, "ABZ-0201"),
    (["pub", ".a", "x"], 2, "ABZ-0201"),
    (["pub", "a b", "x"], 2, "ABZ-0201"),
    (["pub", "a.*", "x"], 2, "ABZ-0201"),
    (["pub", "größe", "x"], 2, "ABZ-0201"),
    (["pub", "a" * 129, "x"], 2, "ABZ-0201"),
    (["pub", "a.b.c.d.e.f.g.h.i", "x"], 2, "ABZ-0201"),
    (["pub", "$sys.x", "x"], 7, "ABZ-0203"),
    (["sub", "a.>.b"], 2, "ABZ-0202"),
    (["sub", "a*"], 2, "ABZ-0202"),
    (["sub", ""], 2, "ABZ-0202"),
    (["sub", "$sys.>"], 7, "ABZ-0203"),
    (["sub", "a", "--name", "a.b"], 2, "ABZ-0501"),
    (["pub", "a", "x", "--name", "x" * 65], 2, "ABZ-0501"),
    (["pub", "a", "x", "--count", "0"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--count", "-3"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--count", "many"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--count"], 2, "ABZ-1003"),
    (["pub", "a", "-", "--count", "2"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--rate", "0"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--lane", "control"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--timeout", "10"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--retain", "0"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--retain", "65537"], 2, "ABZ-1002"),
    (["get"], 2, "ABZ-1003"),
    (["get", "a.*"], 2, "ABZ-0201"),
    (["get", "$a"], 7, "ABZ-0203"),
    (["get", "a", "--key", "0"], 2, "ABZ-1002"),
    (["get", "a", "--raw", "--json"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--ttl", "0s"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--ttl", "10"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--ttl", "577h"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--key", "0"], 2, "ABZ-1002"),
    (["pub", "a", "x", "--key", ""], 2, "ABZ-1002"),
    (["pub", "a", "x", "--key", "18446744073709551616"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "lossless:10"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "lossless:1ms"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "latest"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "latest:0"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "drop_old:1"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "drop_some"], 2, "ABZ-1002"),
    (["sub", "a", "--policy", "latest:11", "--queue", "10"], 2, "ABZ-1002"),
    (["sub", "a", "--queue", "0"], 2, "ABZ-1002"),
    (["sub", "a", "--queue", "1048577"], 2, "ABZ-1002"),
    (["sub", "a", "--raw", "--json"], 2, "ABZ-1002"),
    # Of later milestones.
    (["sub", "a", "--shoal", "g"], 2, "ABZ-1001"),
    (["sub", "a", "--ack"], 2, "ABZ-1002"),
    # Config.
    (["--config", "/nonexistent.toml", "pub", "a", "x"], 3, "ABZ-0301"),
    (["--config", "/tmp", "ls"], 3, "ABZ-0301"),
    (["pub", "a", "x", "--set", "node.baet=1s"], 3, "ABZ-0303"),
    (["pub", "a", "x", "--set", "node.beat=1ms"], 3, "ABZ-0304"),
    (["pub", "a", "x", "--set", "node.beat=soon"], 3, "ABZ-0305"),
    (["pub", "a", "x", "--set", "node.beat"], 2, "ABZ-1002"),
    (["ls", "--set", ""], 2, "ABZ-1002"),
    (["ls", "--set", "a\nb=\x1b[2J"], 3, "ABZ-0303"),
    (["--config"], 2, "ABZ-1003"),
    (["--set"], 2, "ABZ-1003"),
    (["demo", "/no\nsuch\x1b[2J"], 1, "ABZ-1005"),
    (["config", "explain", "node.idel_exit"], 3, "ABZ-0303"),
    # Without a node.
    (["ls"], 4, "ABZ-0401"),
    (["info", "node"], 4, "ABZ-0401"),
    (["audit"], 4, "ABZ-0401"),
    (["why", "a.b"], 4, "ABZ-0401"),
    (["node", "status"], 4, "ABZ-0401"),
    (["node", "drain"], 4, "ABZ-0401"),
    (["ls", "agnets"], 2, "ABZ-1002"),
    (["audit", "--wait", "soon"], 2, "ABZ-1002"),
    (["why"], 2, "ABZ-1003"),
    (["why", "a..b"], 2, "ABZ-0201"),
    (["errors", "ABZ-9999"], 2, "ABZ-1002"),
    (["bench", "frob"], 2, "ABZ-1002"),
    (["bench", "pubsub", "--frob"], 2, "ABZ-1001"),
    (["bench", "pubsub", "--slo", "p99<5"], 2, "ABZ-1002"),
    (["bench", "pubsub", "--link", "carrier-pigeon"], 2, "ABZ-1002"),
    (["bench", "pubsub", "--gate", "10%"], 2, "ABZ-1003"),
    (["bench", "pubsub", "--gate", "ten", "--against", "/bin/true"], 2, "ABZ-1002"),
    (["bench", "pubsub", "--against", "/etc/passwd"], 2, "ABZ-1002"),
    (["bench", "cost", "--against", "/etc/passwd"], 2, "ABZ-1002"),
    (["bench", "heritage", "--load", "huge"], 2, "ABZ-1002"),
    (["demo", "--frob"], 2, "ABZ-1001"),
]

GOOD = [
    [], ["--help"], ["--version"], ["version", "--json"], ["errors"], ["errors", "ABZ-1203"],
    ["errors", "1203", "--json"], ["config", "show"], ["config", "show", "--origin", "--json"],
    ["config", "explain", "node.idle_exit"], ["config", "explain", "node"], ["config", "init", "-"],
    ["doctor"], ["doctor", "--json"], ["topo"], ["topo", "--json", "--machine", "core:4 pu:1"],
    ["node", "stop"], ["node", "stop", "--json"],
    ["pub", "--help"], ["sub", "--help"], ["get", "--help"],
    ["node", "--help"], ["node", "run", "--help"],
    ["help"], ["help", "pub"], ["help", "node", "run"],
    ["config", "--help"], ["bench", "--help"], ["demo", "--help"],
]


class ExitCodes(BusCase):
    def test_bad_input(self):
        for words, code, error_id in BAD:
            with self.subTest(words=words):
                done = self.abuzz(*words)
                self.assert_fails(done, code, error_id)
                self.assertEqual(done.stdout, "")
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_no_time_is_over_at_once(self):
        begun = time.monotonic()
        self.assertEqual(self.abuzz("sub", "a", "--timeout", "0s").returncode, 0)
        self.assert_fails(self.abuzz("sub", "a", "--timeout", "0s", "--count", "1"), 5, "ABZ-0703")
        self.assert_fails(self.abuzz("demo", "--timeout", "0s"), 5, "ABZ-0703")
        self.assertLess(time.monotonic() - begun, PATIENCE)

    def test_a_setting_without_a_key_is_named(self):
        self.assertIn("'' is not section.key=value", self.abuzz("ls", "--set", "").stderr)

    def test_help_lists_the_flags_that_every_verb_has(self):
        for verb in ("pub", "ls", "demo", "bench", "node run", "doctor", "config show"):
            with self.subTest(verb=verb):
                said = self.abuzz(*verb.split(), "--help").stdout
                self.assertIn("--config FILE", said)
                self.assertIn("--set KEY=VALUE", said)

    def test_bad_input_starts_no_node(self):
        self.abuzz("pub", "a..b", "x")
        self.abuzz("sub", "a", "--shoal", "g")
        self.assertEqual(self.processes(), {})
        self.assertFalse(os.path.exists(self.runtime))

    def test_what_needs_no_node_works_without_one(self):
        for words in GOOD:
            with self.subTest(words=words):
                done = self.abuzz(*words)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertNotEqual(done.stdout, "")
        self.assertEqual(self.processes(), {})

    def test_help_of_a_verb_is_that_of_its_flag(self):
        for words in (["pub"], ["node"], ["node", "run"], ["bench"]):
            self.assertEqual(self.abuzz("help", *words).stdout,
                             self.abuzz(*words, "--help").stdout)
        self.assert_fails(self.abuzz("help", "pbu"), 2, "ABZ-1004")

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "wb") as full:
            process = self.start("errors", stdout=full)
            code, _, err = self.finish(process)
        self.assertEqual(code, 1)
        self.assertTrue(err.startswith("ABZ-0101 "), err)

    def test_a_closed_stdout_is_told(self):
        for words in (["errors"], ["sub", "a", "--count", "1"]):
            process = self.start(*words, before=lambda: os.close(1))
            if words[0] == "sub":
                self.assertTrue(process.stderr.readline().startswith(b"subscribed "))
                self.abuzz("pub", "a", "x")
            code, _, err = self.finish(process)
            self.assertEqual(code, 1)
            self.assertTrue(err.startswith("ABZ-0101 "), err)

    def test_hardly_any_descriptors_are_told(self):
        # From the first number with which the program can be loaded at all.
        for count in range(4, 12):
            with self.subTest(count=count):
                done = self.abuzz("pub", "a", "x", before=limit_descriptors(count))
                self.assert_fails(done, 1, "ABZ-0103")

    def test_a_timeout_before_the_count_is_exit_5(self):
        done = self.abuzz("sub", "a", "--count", "1", "--timeout", "200ms")
        self.assert_fails(done, 5, "ABZ-0703")
        done = self.abuzz("sub", "a", "--timeout", "200ms")
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_an_unsafe_runtime_directory_is_refused(self):
        os.mkdir(self.runtime, 0o755)
        os.chmod(self.runtime, 0o755)
        self.assert_fails(self.abuzz("pub", "a", "x"), 1, "ABZ-0405")
        self.assertEqual(self.abuzz("doctor").returncode, 1)
        os.rmdir(self.runtime)
        os.symlink(self.base, self.runtime)
        self.assert_fails(self.abuzz("pub", "a", "x"), 1, "ABZ-0405")
        for words in (["ls"], ["info", "node"], ["audit"], ["node", "status"], ["node", "stop"],
                      ["node", "drain"]):
            self.assert_fails(self.abuzz(*words), 1, "ABZ-0405")
        self.assertEqual(self.abuzz("doctor").returncode, 1)
        os.unlink(self.runtime)

    def test_a_path_too_long_for_a_socket_is_refused(self):
        env = {"ABUZZ_NODE__RUNTIME_DIRECTORY": self.base + "/" + "x" * 110}
        self.assert_fails(self.abuzz("pub", "a", "x", env=env), 3, "ABZ-0406")
        self.assertEqual(self.abuzz("doctor", env=env).returncode, 1)

    def test_a_config_file_is_read_only_when_it_is_named(self):
        path = os.path.join(self.base, "abuzz.toml")
        done = self.abuzz("config", "init", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.abuzz("config", "init", path).returncode, 1)
        self.assertEqual(self.abuzz("config", "init", path, "--force").returncode, 0)
        self.assert_force_replaces_files_only(path)
        with open(path, "a") as file:
            file.write("\n[nodes]\n")
        self.assertEqual(self.abuzz("config", "show").returncode, 0)
        for words in (["--config", path, "config", "show"], ["config", "show", "--config", path]):
            self.assertEqual(self.abuzz(*words).returncode, 3)
        done = self.abuzz("config", "show", env={"ABUZZ_CONFIG": path})
        self.assertEqual(done.returncode, 3)

    def assert_force_replaces_files_only(self, path):
        link, neighbour = path + ".link", path + ".new"
        os.symlink(path, link)
        with open(neighbour, "w") as file:
            file.write("mine")
        self.assertEqual(self.abuzz("config", "init", link, "--force").returncode, 0)
        self.assertTrue(os.path.islink(link))
        with open(neighbour) as file:
            self.assertEqual(file.read(), "mine")
        pipe = path + ".pipe"
        os.mkfifo(pipe)
        self.assert_fails(self.abuzz("config", "init", pipe, "--force"), 1, "ABZ-0101")
        self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))
        self.assert_fails(self.abuzz("config", "init", self.base, "--force"), 1, "ABZ-0101")


if __name__ == "__main__":
    unittest.main(verbosity=2)
