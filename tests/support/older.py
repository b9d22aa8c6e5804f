"""Programs of an older commit, for comparing with today's. They are built in a worktree that goes again,
with the options of that commit's own preset, and kept in build/against/."""

import os
import shutil
import subprocess

from servers import ROOT

AGAINST = os.path.join(ROOT, "build", "against")
PROGRAMS = ("notify.so", "notify-bridge")
TARGETS = ("notify", "notify-bridge")  # of every commit, whatever its folders are called
OLDEST = "9d90e86"  # the first version that anybody may have
OLDER_SO = "NOTIFY_OLDER_SO"  # the environment variable that names an older module


def _git(*args):
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"git {args[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _run(log, argv, cwd):
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        log.flush()
        with open(log.name, errors="replace") as file:
            raise OSError(f"{' '.join(argv[:2])} failed\n{''.join(file.readlines()[-30:])}")


def _build(source, made, preset, log_path):
    deps = os.path.join(ROOT, "build", "deps")
    with open(log_path, "w") as log:
        _run(log, ["cmake", "--preset", preset, "-B", made, f"-DNOTIFY_DEPS={deps}"], source)
        _run(log, ["cmake", "--build", made, "--target", *TARGETS], source)


def name_oldest():
    """Puts the oldest module, which is built first, into the environment, if there is none. Without a repository, or
    where it cannot be built, it says so and goes on."""
    try:
        if OLDER_SO not in os.environ:
            os.environ[OLDER_SO] = programs_of(OLDEST, "release")["NOTIFY_SO"]
    except OSError as why:
        print(f"without an older module: {why}", flush=True)


def programs_of(commit, preset):
    """Environment variables that name the programs of the commit, built with that preset. OSError when
    there is no such commit, or it cannot be built."""
    sha = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    folder = os.path.join(AGAINST, f"{sha[:12]}-{preset}")
    if not os.path.exists(folder):
        source, made, ready = (f"{folder}.{name}" for name in ("source", "made", "ready"))
        os.makedirs(AGAINST, exist_ok=True)
        print(f"building {sha[:12]} ({preset})", flush=True)
        try:
            _git("worktree", "add", "--force", "--detach", source, sha)
            _build(source, made, preset, f"{folder}.log")
            os.makedirs(ready, exist_ok=True)
            for name in PROGRAMS:
                shutil.copy(os.path.join(made, name), ready)
            os.rename(ready, folder)
        finally:
            _git("worktree", "remove", "--force", source)
            for path in (made, ready):
                shutil.rmtree(path, ignore_errors=True)
    return {
        "NOTIFY_SO": os.path.join(folder, "notify.so"),
        "NOTIFY_BRIDGE": os.path.join(folder, "notify-bridge"),
    }
