"""Workers of a group that write down what they did, for tests that must not believe the bus."""

import json
import os
import random
import signal
import subprocess
import time

from bus_case import PATIENCE, BusCase, test_agent


class GroupCase(BusCase):
    def setUp(self):
        super().setUp()
        self.files = []

    def worker(self, name, kind="manual", pause=0, pattern="jobs.*", env=None):
        """A member of the group `team`, ready."""
        path = os.path.join(self.base, f"{name}-{len(self.files)}.txt")
        self.files.append(path)
        process = subprocess.Popen(
            [test_agent("group_worker"), name, pattern, "team", kind, path, str(pause)],
            env={**self.env, **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.started.append(process)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    def done(self):
        """payload -> [(attempt, may be a repeat), ...] over all workers, also dead ones."""
        done = {}
        for path in self.files:
            if not os.path.exists(path):
                continue
            with open(path) as file:
                for line in file:
                    payload, attempt, repeat = line.split()
                    done.setdefault(payload, []).append((int(attempt), repeat == "1"))
        return done

    def publisher(self, topic="jobs.new"):
        return self.start("pub", topic, "-", "--timeout", "60s", stdin=subprocess.PIPE)

    def assert_each_done(self, names):
        done = self.done()
        self.assertEqual(set(done), set(names))
        for payload, times in done.items():
            first_time = [repeat for _, repeat in times].count(False)
            self.assertLessEqual(first_time, 1, f"{payload}: {times}")

    def assert_balanced(self):
        audit = self.abuzz("audit", "--json")
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)
        return json.loads(audit.stdout)

    # -- death --------------------------------------------------------------------------------

    def run_kills(self, kind, kills):
        chance = random.Random(int(os.environ.get("ABUZZ_SEED", "7")))
        workers = [self.worker(f"w{n}", kind, 1000) for n in range(3)]
        publisher = self.publisher()
        names = [f"job{n}" for n in range(150 * kills)]
        for kill in range(kills):
            for name in names[150 * kill:150 * (kill + 1)]:
                publisher.stdin.write(name.encode() + b"\n")
            publisher.stdin.flush()
            time.sleep(chance.uniform(0.01, 0.15))
            victim = chance.randrange(3)
            self.kill(workers[victim])
            workers[victim] = self.worker(f"r{kill}", kind, 1000)
        code, out, err = self.finish(publisher, PATIENCE * 3)
        self.assertEqual(code, 0, out + err)
        self.assert_each_done(names)
        said = self.assert_balanced()
        topic = next(t for t in said["topics"] if t["topic"] == "jobs.new")
        self.assertEqual(topic["delivered"], len(names))
        self.assertEqual(topic["unknown"], {})

    def leased(self):
        said = json.loads(self.abuzz("ls", "subscriptions", "--json").stdout)
        return sum(s.get("leased", 0) for s in said["subscriptions"] if s.get("is_group"))

    def dead_letters(self):
        done = self.abuzz("dead", "ls", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["letters"]
