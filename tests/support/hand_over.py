"""hand_over.py FD,FD… NAME=VALUE… -- PROGRAM ARG…: becomes the program, with these descriptors as 3, 4, …, and with the
variables; LISTEN_PID=own is its own process. What systemd does for a service that has sockets."""

import fcntl
import os
import sys

end = sys.argv.index("--")
fds = [int(text) for text in sys.argv[1].split(",")] if sys.argv[1] != "-" else []
env = dict(os.environ)
env.update(word.split("=", 1) for word in sys.argv[2:end])
if env.get("LISTEN_PID") == "own":
    env["LISTEN_PID"] = str(os.getpid())
above = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
os.closerange(3, 100)
for place, fd in enumerate(above, 3):
    os.dup2(fd, place)
os.closerange(100, 300)
os.execve(sys.argv[end + 1], sys.argv[end + 1 :], env)
