"""Runs a command on a pseudo-terminal of its own: what it prints goes to our standard output, and
lines of our standard input are JSON strings, typed into it. Exits as the command does."""
import json
import os
import pty
import select
import signal
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

# A terminal of 120 columns, so that no table is wrapped.
import fcntl
import struct
import termios

fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))

sources = [terminal, sys.stdin.fileno()]
pending = b""
while True:
    ready, _, _ = select.select(sources, [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            break
        os.write(1, data)
    elif sys.stdin.fileno() in ready:
        data = os.read(sys.stdin.fileno(), 65536)
        if not data:
            sources.remove(sys.stdin.fileno())
        pending += data
        *lines, pending = pending.split(b"\n")
        for line in lines:
            os.write(terminal, json.loads(line).encode())

_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
