"""A bus of real processes for one test, in a runtime directory of its own.

Every process that a test starts, and every node that those start by themselves, carries the
directory in its environment. So the end of a test finds all of them, however they were started,
ends them by their pids, and fails the test if one should have ended by itself.
"""

import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

ABUZZ = os.environ.get("ABUZZ_BINARY", "abuzz")
# Programs under a sanitizer are a few times slower; limits that are promises are not stretched.
SLOW = 4 if os.environ.get("ABUZZ_SANITIZE") else 1
# For what must happen but whose time nobody promised: the machine may be busy.
PATIENCE = 20 * SLOW
PREFIX = "abz-test-"
HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class BusCase(unittest.TestCase):
    def setUp(self):
        self.base = self.make_directory()
        os.chmod(self.base, 0o700)
        self.runtime = os.path.join(self.base, "abuzz")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("ABUZZ_")}
        # The whole suite may be run with more shards.
        if "ABUZZ_PLACE__SHARDS" in os.environ:
            self.env["ABUZZ_PLACE__SHARDS"] = os.environ["ABUZZ_PLACE__SHARDS"]
        for name in ("NOTIFY_SOCKET", "INVOCATION_ID", "NO_COLOR"):
            self.env.pop(name, None)
        self.env["XDG_RUNTIME_DIR"] = self.base
        # For agents that are not `abuzz` itself and find no node.
        self.env["ABUZZ_NODE_BIN"] = ABUZZ
        # A node that a test forgets leaves soon, also when the test itself is killed.
        self.env["ABUZZ_NODE__IDLE_EXIT"] = "10s"
        self.env["ABUZZ_AGENT__CONNECT_TIMEOUT"] = f"{PATIENCE}s"
        self.started = []

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        stopped = self.abuzz("node", "stop")
        left = self.processes()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        self.assertEqual(left, {}, "processes were left behind")

    def make_directory(self):
        """One that goes at the end, however that comes about: see remove_left_behind()."""
        remove_left_behind()
        path = tempfile.mkdtemp(prefix=PREFIX, dir="/tmp")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        lock = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_SH)
        return path

    # -- starting -----------------------------------------------------------------------------

    def abuzz(self, *words, stdin="", env=None, timeout=PATIENCE * 2, before=None):
        """Runs `abuzz WORDS` to its end; stdout and stderr are text."""
        return subprocess.run([ABUZZ, *words], input=stdin, text=True, capture_output=True,
                              env={**self.env, **(env or {})}, timeout=timeout,
                              preexec_fn=lambda: prepare_child(before))

    def start(self, *words, env=None, before=None, stdin=subprocess.DEVNULL, **streams):
        """Starts `abuzz WORDS` and returns at once."""
        streams.setdefault("stdout", subprocess.PIPE)
        streams.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([ABUZZ, *words], env={**self.env, **(env or {})}, stdin=stdin,
                                   preexec_fn=lambda: prepare_child(before), **streams)
        self.started.append(process)
        return process

    def subscribe(self, pattern, *words, **options):
        """Starts `abuzz sub` and returns when its subscription is confirmed."""
        process = self.start("sub", pattern, *words, **options)
        line = process.stderr.readline().decode()
        self.assertTrue(line.startswith("subscribed "), line)
        return process

    def finish(self, process, timeout=PATIENCE):
        """Waits for the end; answers exit code, stdout and stderr."""
        out, err = process.communicate(timeout=timeout)
        return process.returncode, (out or b"").decode(), (err or b"").decode()

    # -- looking ------------------------------------------------------------------------------

    def processes(self):
        """pid -> command line of everything that runs in this test's directory."""
        mark = f"XDG_RUNTIME_DIR={self.base}\0".encode()
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if mark not in file.read():
                        continue
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            found[int(entry)] = " ".join(words).strip()
        return found

    def node_processes(self):
        return [pid for pid, line in self.processes().items() if " node run" in line]

    def node(self):
        """What `node status` says, or None without a node."""
        done = self.abuzz("node", "status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def kill_node(self, subscriptions, agents):
        """Kills the node; answers how long it took until so many were on the next one."""
        node = self.node()
        os.kill(node["pid"], signal.SIGKILL)
        killed = time.monotonic()

        def is_back():
            now = self.node()
            if not now or now["epoch"] <= node["epoch"] or now["state"] != "ready":
                return False
            listed = self.ls()
            return (len(listed["subscriptions"]), len(listed["agents"])) == (subscriptions, agents)

        self.wait_until(is_back, PATIENCE, "all agents are on the next node")
        return time.monotonic() - killed

    def ls(self):
        done = self.abuzz("ls", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def agents(self):
        """The agents that `ls` knows; none while there is no node."""
        done = self.abuzz("ls", "agents", "--json")
        if done.returncode == 4:
            return []
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["agents"]

    def agent_names(self):
        return [agent["name"] for agent in self.ls()["agents"]]

    def sockets(self):
        """Every socket file of the runtime directory."""
        found = []
        for folder, _, names in os.walk(self.runtime):
            paths = [os.path.join(folder, name) for name in names]
            found += [path for path in paths if stat.S_ISSOCK(os.lstat(path).st_mode)]
        return sorted(found)

    def wait_until(self, holds, seconds, what):
        """Looks until holds() is true; answers its value. Fails after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            value = holds()
            if value:
                return value
            if time.monotonic() > end:
                self.fail(f"not within {seconds} s: {what}")
            time.sleep(0.01)

    def assert_fails(self, done, code, error_id):
        """The exit code, and one complaint that starts with the id, or is an object with it."""
        self.assertEqual(done.returncode, code, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("subscribed ")]
        is_object = bool(lines) and lines[0].startswith("{")
        named = json.loads(lines[0])["error"] + " " if is_object else (lines + [""])[0]
        self.assertTrue(named.startswith(error_id + " "), done.stderr)

    def assert_bus_works(self, topic="check.up"):
        """A message still goes from a new process to another one."""
        reader = self.subscribe(topic, "--count", "1", "--timeout", f"{PATIENCE}s")
        done = self.abuzz("pub", topic, "still here")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.finish(reader)[:2], (0, f"{topic}\tstill here\n"))


def remove_left_behind():
    """A test that is killed leaves its directory, but not its lock on it. A new one may not have
    its lock yet."""
    for name in os.listdir("/tmp"):
        path = os.path.join("/tmp", name)
        try:
            if not name.startswith(PREFIX) or os.lstat(path).st_mtime > time.time() - 60:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)


def campaign_count(count):
    """How often a campaign repeats now; see tests/campaign.hpp."""
    return max(1, count * int(os.environ.get("ABUZZ_CAMPAIGN_PERCENT") or 1) // 100)


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_agent(name):
    """One of the small agents that stand beside these tests."""
    return os.path.join(os.environ.get("ABUZZ_TEST_AGENTS", "."), name)


def prepare_child(before):
    # Whoever runs the tests in the background may ignore these, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if before:
        before()


def limit_descriptors(count):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def call(path):
    """A connection to the socket, of the kind that it takes; None if it takes none."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        caller = socket.socket(socket.AF_UNIX, kind)
        caller.settimeout(2 * SLOW)
        try:
            caller.connect(path)
            return caller
        except OSError:
            caller.close()
    return None
