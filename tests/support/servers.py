"""Real programs for the tests: redis-server with the module, notify-bridge, and test hosts.

Every program runs in a temporary folder, on a port of its own, and dies with the test run, however
that ends. What it writes is kept in memory line by line, so that tests wait for a line instead of
sleeping, and so that a sanitizer's report fails the test that caused it."""

import collections
import ctypes
import datetime
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from busy import clock_env, disturb, url_for_bridge
from patience import WAIT_TIMEOUT_S

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

REDIS_SERVER = os.path.join(ROOT, "tests", "support", "redis-server")
REPLICA_SYNCED = r"<-> REPLICA sync: Finished with success"

START_TIMEOUT_S = STOP_TIMEOUT_S = WAIT_TIMEOUT_S

# What no program of ours may ever write.
REPORTS = re.compile(
    r"ERROR: (Address|Leak|Thread)Sanitizer|runtime error:|(REDIS|VALKEY|REDICT) BUG REPORT START"
)

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def build_dir():
    """The folder with the programs under test."""
    return os.path.abspath(os.environ.get("NOTIFY_BUILD", os.path.join(ROOT, "build", "debug")))


def module_path():
    return os.environ.get("NOTIFY_SO", os.path.join(build_dir(), "notify.so"))


def bridge_path():
    return os.environ.get("NOTIFY_BRIDGE", os.path.join(build_dir(), "notify-bridge"))


def host_path(name):
    """A program of tests/support, for example "transport_host"."""
    return os.path.join(build_dir(), "support", name)


_reserved = collections.deque(maxlen=64)  # the sockets that stand for the last ports that were handed out


def free_port(beside=()):
    """A port that nobody listens on, nor on those that are `beside` it (distances), all outside the
    range from which the kernel hands out ports for outgoing connections: none of the thousands
    that a test opens can take it meanwhile, and no other test run on this machine is given one of them."""
    while True:
        port = random.randrange(20000, 32000 - max(beside, default=0))
        ports = [port + distance for distance in (0, *beside)]
        marks = _reserve(ports)
        if marks and all(map(_is_free, ports)):
            _keep(marks)
            return port
        for mark in marks:
            mark.close()


def _reserve(ports):
    """Names in the kernel, which end with their owner. []: somebody has one of them."""
    marks = []
    for port in ports:
        marks.append(socket.socket(socket.AF_UNIX))
        try:
            marks[-1].bind(f"\0notify-test-port-{port}")
        except OSError:
            for mark in marks:
                mark.close()
            return []
    return marks


def _keep(marks):
    """Until many others have been: by then whoever wanted it listens."""
    if len(_reserved) == _reserved.maxlen:
        for mark in _reserved[0]:
            mark.close()
    _reserved.append(marks)


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def wait_until(condition, what="the condition", timeout=WAIT_TIMEOUT_S):
    """Calls condition until it is true and returns its value. For what can only be asked for; wait
    for a line or a message where there is one."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(0.01)


def at_some_pace(check, unit_s, doublings=4):
    """check(unit in seconds), again with a unit twice as long while it fails: for what only the time that passes can
    show, and a machine that does other things, too, is late for. What is wrong is wrong at any pace."""
    for n in range(doublings):
        try:
            return check(unit_s * 2**n)
        except Exception as failure:  # whatever being late leads to
            print(f"with {unit_s * 2**n} s: {failure!r}", flush=True)
    return check(unit_s * 2**doublings)


def until_refused(ask, is_refused, free, tries=300):
    """Asks again and again; the first answer that refuses, which is none of the first `free` ones. A slow machine is
    granted more than those, for what is refused is more than so many in a time."""
    for n in range(tries):
        answer = ask()
        if is_refused(answer):
            assert n >= free, f"refused after {n}: {answer}"
            return answer
    raise AssertionError(f"{tries} were granted")


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _quiet_limits(env):
    """Sanitizers: report everything, end with an exit status that cannot be mistaken."""
    # allocator_may_return_null: Redis itself tries to allocate what a broken payload asks for.
    env.setdefault(
        "ASAN_OPTIONS", "detect_leaks=1:exitcode=97:abort_on_error=0:allocator_may_return_null=1"
    )
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    return env


class _Output:
    """The lines that a process has written into this pipe."""

    def __init__(self, pipe):
        self._pipe, self._rest = pipe, b""
        os.set_blocking(pipe.fileno(), False)

    def wait(self):
        """Until there is more, or the end."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        poll.poll()

    def take(self):
        """(those that are there and were not taken before, whether these were the last)"""
        lines, is_last = [], False
        try:
            while data := os.read(self._pipe.fileno(), 65536):
                *whole, self._rest = (self._rest + data).split(b"\n")
                lines += whole
            is_last = True
        except BlockingIOError:
            pass
        if is_last and self._rest:
            lines, self._rest = [*lines, self._rest], b""
        return [line.decode("utf-8", "replace") for line in lines], is_last

    def close(self):
        self._pipe.close()


class Program:
    """A child process whose output can be waited for, and is shown while it comes if `shown`. Whoever asks what it has
    said is told all that it has written until then, however late the thread is that reads it."""

    def __init__(self, name, shown=False):
        self.name = name
        self.shown = shown
        self.proc = None
        self._lines = []
        self._news = threading.Condition()
        self.pass_fds = ()
        self._output = self._reader = None
        self._ended = True

    # -- life

    def _spawn(self, argv, env=None, cwd=None, stdin=subprocess.DEVNULL):
        assert not self.running(), f"{self.name} runs already"
        self._ended = False
        self.proc = subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_quiet_limits(dict(os.environ if env is None else env)),
            cwd=cwd,
            preexec_fn=_die_with_parent,
            pass_fds=self.pass_fds,
        )
        self._output = _Output(self.proc.stdout)
        self._reader = threading.Thread(target=self._read, args=(self._output,), daemon=True)
        self._reader.start()
        disturb(self.proc)

    def _read(self, output):
        is_over = False
        while not is_over:
            output.wait()
            with self._news:
                is_over = self._take(output)
        with self._news:
            output.close()
            self._output = None if self._output is output else self._output
            self._ended = True
            self._news.notify_all()

    def _take(self, output):
        """Whether that was all."""
        lines, is_over = output.take()
        for line in lines if self.shown else []:
            print(f"  {line}", flush=True)
        if lines:
            self._lines += lines
            self._news.notify_all()
        return is_over

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    @property
    def pid(self):
        return self.proc.pid

    def kill9(self):
        """Ends it as a crash would."""
        self.proc.send_signal(signal.SIGKILL)
        self._reap()

    def terminate(self, timeout=STOP_TIMEOUT_S):
        """SIGTERM; returns the exit status once it is gone. Does not judge it."""
        self.proc.send_signal(signal.SIGTERM)
        return self._reap(timeout)

    def wait(self, timeout=STOP_TIMEOUT_S):
        """Waits for it to end by itself; returns the exit status."""
        return self._reap(timeout)

    def _reap(self, timeout=STOP_TIMEOUT_S):
        try:
            status = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise AssertionError(f"{self.name} did not end in time\n{self.tail()}")
        finally:
            self._reader.join(STOP_TIMEOUT_S)
        return status

    def stop(self):
        """Orderly end, for fixtures: complains about a crash before or an error during it."""
        if self.proc is None:
            return
        if self.running():
            status = self.terminate()
            assert status == 0, f"{self.name} ended with status {status}\n{self.tail()}"
        self.check_reports()

    # -- what it said

    @property
    def lines(self):
        """Everything it has written since the first start."""
        with self._news:
            if self._output is not None:
                self._take(self._output)
            return self._lines

    def mark(self):
        """A position in the output, for wait_line(since=…)."""
        return len(self.lines)

    def wait_line(self, pattern, since=0, timeout=WAIT_TIMEOUT_S):
        """Returns the first line from `since` on that the pattern is found in."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        at = since
        with self._news:
            while True:
                while at < len(self._lines):
                    if regex.search(self._lines[at]):
                        return self._lines[at]
                    at += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "ended" if self._ended else f"was silent for {timeout} s"
                    raise AssertionError(
                        f"{self.name} {why} without a line like {pattern!r}\n{self.tail()}"
                    )
                self._news.wait(left)

    def has_line(self, pattern, since=0):
        return any(re.search(pattern, line) for line in self.lines[since:])

    def tail(self, count=60):
        return "\n".join(f"  {self.name}| {line}" for line in self.lines[-count:])

    def check_reports(self):
        """Fails if a sanitizer or Redis itself has reported a bug."""
        for at, line in enumerate(self.lines):
            if REPORTS.search(line):
                report = "\n".join(f"  {self.name}| {text}" for text in self.lines[at : at + 60])
                raise AssertionError(f"{self.name} reported a bug\n{report}")


def _preload_for(library):
    """A module that was built with a sanitizer needs the sanitizer's library in the server first.
    Debian's redis-server allocates through the C library's names, and jemalloc_shim sees to the few
    others; so the sanitizer knows all memory, finds what the module does wrong with it, and at the
    end what it has leaked. The server itself leaves nothing behind."""
    with open(library, "rb") as file:
        found = re.search(rb"\0(libasan\.so\.\d+)\0", file.read())
    if not found:
        return None
    shim = host_path("jemalloc_shim.so")
    return f"{found.group(1).decode()}:{shim}"


def is_sanitized():
    """Whether the module under test is built with sanitizers."""
    return _preload_for(module_path()) is not None


def redis_client(port, **options):
    """One that answers str, and does what it is told once: later versions of redis-py send a command again by themselves
    when its reply did not come, though it may have been done."""
    return redis.Redis(port=port, **{"host": "127.0.0.1", "decode_responses": True, "retry": Retry(NoBackoff(), 0), **options})


class RedisServer(Program):
    """redis-server with the module. Options become its command line: appendonly="yes",
    save=["900 1", "300 10"], notify_max_entries… : underscores stand for hyphens, "notify." options
    of the module are given in `config`, and set before the server is handed out. `module` names
    another module than the one under test, or none; `module_args` follow it on the command line."""

    def __init__(
        self, name="redis", module=True, replica_of=None, config=None, module_args=(), clock_offset_s=0, **options
    ):
        super().__init__(name)
        is_node = "cluster-enabled" in options or "cluster_enabled" in options
        self.port = free_port(beside=[10000] if is_node else [])  # where the cluster's bus is
        self.dir = tempfile.mkdtemp(prefix="notify-test-redis-")
        self.module = module_path() if module is True else module or None
        self.module_args = list(module_args)
        self.config = dict(config or {})
        self.clock_offset_s = clock_offset_s
        self.options = {
            "save": "",
            "appendonly": "no",
            # Written before it is acknowledged: a killed process loses nothing. (With everysec a server
            # whose disk is busy keeps up to two seconds to itself.)
            "appendfsync": "no",
            "enable-debug-command": "yes",
            "repl-diskless-sync-delay": "0",
        }
        if replica_of is not None:
            self.options["replicaof"] = f"127.0.0.1 {replica_of.port}"
        self.options.update({key.replace("_", "-"): value for key, value in options.items()})

    def _argv(self):
        server = shlex.split(os.environ.get("NOTIFY_REDIS_SERVER", f"'{REDIS_SERVER}'"))
        argv = server + ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir]
        for key, value in self.options.items():
            for one in value if isinstance(value, list) else [value]:
                # Redis splits a value at blanks only if it is several words of the command line.
                argv += [f"--{key}"] + (str(one).split(" ") if one != "" else [""])
        if self.module:
            argv += ["--loadmodule", self.module, *map(str, self.module_args)]
        return argv

    def start(self, wait_ready=True):
        mark = self.mark()
        env = {**os.environ, **clock_env()}
        preload = [_preload_for(self.module) if self.module else None]
        if self.clock_offset_s:
            env["NOTIFY_CLOCK_OFFSET_S"] = str(self.clock_offset_s)
        if self.clock_offset_s or clock_env():
            preload.append(os.path.join(build_dir(), "support", "clock_shim.so"))
        if any(preload):
            env["LD_PRELOAD"] = ":".join(filter(None, preload))
        self._spawn(self._argv(), env=env, cwd=self.dir)
        if not wait_ready:
            return self
        self.wait_line(r"[Rr]eady to accept connections", since=mark, timeout=START_TIMEOUT_S)
        self.client().ping()
        for key, value in self.config.items():
            self.client().config_set(key, value)
        return self

    def restart(self):
        """Again, with the same folder and port; whatever ended it before."""
        if self.running():
            self.terminate()
        return self.start()

    def client(self, **options):
        """A new redis-py client that answers str."""
        return redis_client(self.port, **options)

    def replication(self, patience_s=5):
        """What it says of that; nothing while it cannot: it loads its data, stands still, or closes all connections, as
        Sentinel has it do when it tells it whom to follow, or to follow nobody."""
        try:
            return self.client(socket_timeout=patience_s).info("replication")
        except (redis.RedisError, OSError):
            return {}

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def wait_synced(self):
        """On a replica: until it has all that its primary had written when this was called. Its primary
        goes on writing (pings, the time of its keys), so what it has written then is asked for once."""
        info = self.client().info("replication")
        primary = redis.Redis(host=info["master_host"], port=info["master_port"])
        written = primary.info("replication")["master_repl_offset"]

        def is_synced():
            info = self.client().info("replication")
            return info["master_link_status"] == "up" and info["slave_repl_offset"] >= written

        wait_until(is_synced, "the replica's being up to date")

    def wait_aof(self):
        """Until its AOF is complete: after a full resync it is begun anew."""

        def is_complete():
            about = self.client().info("persistence")
            return not (about["aof_rewrite_in_progress"] or about["aof_rewrite_scheduled"])

        wait_until(is_complete, "its AOF's being complete")

    def rewrite_aof(self):
        mark = self.mark()
        self.client().bgrewriteaof()
        self.wait_line("Background AOF rewrite finished successfully", since=mark)
        assert not self.has_line("could not be written", since=mark)

    def _aof(self, kind):
        """The file that counts: those of before are removed in the background, some time behind the rewrite."""
        folder = os.path.join(self.dir, "appendonlydir")
        with open(os.path.join(folder, "appendonly.aof.manifest"), encoding="ascii") as file:
            (name,) = re.findall(rf"(?m)^file (\S+{kind}\.aof) .*\btype [bi]", file.read())
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    def aof_base(self):
        """The bytes that the last rewrite wrote."""
        return self._aof("base")

    def aof_tail(self):
        """The bytes that commands have written since then."""
        return self._aof("incr")

    def terminate(self, timeout=STOP_TIMEOUT_S):
        """A server that just writes its first AOF refuses to end, and is asked again as long as there is time."""
        deadline = time.monotonic() + timeout
        since = self.mark()
        self.proc.send_signal(signal.SIGTERM)
        while self.running() and time.monotonic() < deadline:
            if self.has_line("Errors trying to shut down", since=since):
                since = self.mark()
                self.proc.send_signal(signal.SIGTERM)
            time.sleep(0.01)
        return self._reap(0)

    def stop(self):
        try:
            super().stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


class Bridge(Program):
    """notify-bridge in front of a RedisServer. `args` are further command line words. Tests ask faster
    than clients may, so there is no limit on that unless one is given (an older bridge takes no notice
    of the variable). program: that of another version."""

    def __init__(self, server, *args, name="bridge", port=None, env=None, program=None):
        super().__init__(name)
        self.program = program or bridge_path()
        self.server = server
        self.port = port or free_port()
        self.args = list(args)
        self.env = {"NOTIFY_MESSAGE_RATE": "0", **(env or {})}

    def start(self, wait_ready=True):
        mark = self.mark()
        argv = [self.program, "--listen", f"127.0.0.1:{self.port}", "--redis", url_for_bridge(self.server)]
        argv += ["--auth", "none", "--dev"] + self.args
        self._spawn(argv, env={**os.environ, **self.env})
        if wait_ready:
            self.wait_ready(since=mark)
        return self

    def wait_ready(self, since=0):
        return self.wait_line(r"\bevent=ready\b", since=since, timeout=START_TIMEOUT_S)

    def wait_links(self, state, more="", since=0):
        """Returns once both links to Redis have said that they are "up", or "down", with what else the pattern says."""
        for link in ("subscriber", "commands"):
            self.wait_line(f"event=redis_link_{state} link=notify-bridge:{link} {more}", since=since)

    def restart(self):
        if self.running():
            self.terminate()
        return self.start()

    @property
    def http_url(self):
        return f"http://127.0.0.1:{self.port}"

    def metrics(self):
        """What /metrics says: {name with its labels: value}."""
        with urllib.request.urlopen(self.http_url + "/metrics", timeout=WAIT_TIMEOUT_S) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) if "." in value else int(value) for name, value in pairs}

    def processes(self):
        """That serve clients: workers."""
        return int(self.args[self.args.index("--workers") + 1]) if "--workers" in self.args else 1

    def open_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        """Processor time so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


READING = re.compile(r"ts=(\S+) level=\w+ event=config_read(?: worker=(\d+))?")


def readings(bridge, since, later_than):
    """How often the one of its processes that did so least has read its files and said so later than that."""
    count = collections.Counter()
    for line in bridge.lines[since:]:
        found = READING.match(line)
        if found and found[1] > later_than:
            count[found[2]] += 1
    return min(count.values()) if len(count) == bridge.processes() else 0


def read_files_again(*bridges):
    """Returns once each has read all its files, and began to when this had been called. The first reading that is told
    of after that may have begun before, for a signal of earlier, which may wait for a tenth of a second; so there is a
    second one."""
    for bridge in bridges:
        since, now = bridge.mark(), datetime.datetime.now(datetime.timezone.utc)
        later_than = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z"
        time.sleep(0.002)  # so that the log's clock has gone on
        for n in (1, 2):
            bridge.proc.send_signal(signal.SIGHUP)
            wait_until(lambda: readings(bridge, since, later_than) >= n, f"{bridge.name}'s having read its files")


def replace_file(path, text):
    """At no time half written, for whoever reads it."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.rename(path)


def change_roles(path, text, *bridges):
    """Another text for the file of roles; returns once the bridges have it."""
    replace_file(path, text)
    read_files_again(*bridges)


class Host(Program):
    """A program of tests/support (see host_path)."""

    def __init__(self, name, *args):
        super().__init__(name)
        self.args = [str(arg) for arg in args]

    def start(self, ready=None):
        """ready: a pattern of the line to wait for; the line is returned."""
        mark = self.mark()
        self._spawn([host_path(self.name)] + self.args)
        return self.wait_line(ready, since=mark, timeout=START_TIMEOUT_S) if ready else None


class Group:
    """Owns programs and stops them, the youngest first, whatever happens to some of them."""

    def __init__(self):
        self.programs = []

    def add(self, program):
        self.programs.append(program)
        return program

    def redis(self, **options):
        return self.add(RedisServer(**options)).start()

    def replica(self, primary, name="replica", **options):
        """Handed out once it has all that its primary had, in its AOF too, which it begins anew with that."""
        replica = self.redis(name=name, replica_of=primary, **options)
        replica.wait_line(REPLICA_SYNCED)
        if options.get("appendonly") == "yes":
            replica.wait_aof()
        return replica

    def bridge(self, server, *args, **options):
        return self.add(Bridge(server, *args, **options)).start()

    def host(self, name, *args, ready=None):
        host = self.add(Host(name, *args))
        host.start(ready)
        return host

    def close(self):
        failures = []
        while self.programs:
            program = self.programs.pop()
            try:
                program.stop()
            except AssertionError as failure:
                failures.append(str(failure))
            finally:
                if program.running():
                    program.kill9()
        assert not failures, "\n".join(failures)

    def tails(self):
        return "\n".join(program.tail() for program in self.programs)
