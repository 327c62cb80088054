"""A program on a terminal of its own: what it writes, and its end, by itself or by Ctrl-C."""
from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
import time
import tty
import uuid

# Output beyond it is a failure: an example that shows more is none.
OUTPUT_BYTES = 1 << 20

# After Ctrl-C. The store allows itself 10 seconds to stop.
STOP_SECONDS = 15

# A shell misses a Ctrl-C that comes between two of its commands, so it is pressed again, as anyone would.
AGAIN_SECONDS = 3

# Whoever runs this in the background, such as a build server, may have it ignore Ctrl-C, and what it starts would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How often it is looked whether a program has ended or done what is waited for.
LOOK_SECONDS = 0.02


class Program:
    """Standard input and output are a terminal, as they are for a reader who pastes the example; errors go to a file."""

    def __init__(self, command, folder, environment, errors):
        self._master, self._slave = pty.openpty()
        # No echo, and no carriage returns.
        tty.setraw(self._slave)
        self._errors = errors
        self._mark = uuid.uuid4().hex.encode()
        self._changed = threading.Condition()
        self._output = b""
        self._complete = False
        with open(errors, "wb") as file:
            streams = {"stdin": self._slave, "stdout": self._slave, "stderr": file}
            self._process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **streams)
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def output(self):
        """What it has written to standard output, bytes."""
        with self._changed:
            return self._output

    @property
    def errors(self):
        """What it has written to standard error, as text."""
        with open(self._errors, errors="backslashreplace") as file:
            return file.read(OUTPUT_BYTES)

    @property
    def code(self):
        """The exit code; None while it runs; negative if a signal ended it."""
        # It is left unreaped until close(), so that its number remains that of its process group.
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    @property
    def overflowed(self):
        """True if it wrote more than an example may."""
        return len(self.output) > OUTPUT_BYTES

    def wait_until(self, done, seconds):
        """Waits until done() is true or the program has ended; false if the time is over."""
        deadline = time.monotonic() + seconds
        while self.code is None and not done():
            if time.monotonic() > deadline:
                return False
            with self._changed:
                self._changed.wait(LOOK_SECONDS)
        return True

    def finish(self):
        """Waits until everything that an ended program wrote has arrived."""
        # What is written in the terminal is read in order; the terminal itself has no end while children have it open.
        os.write(self._slave, self._mark)
        with self._changed:
            self._changed.wait_for(lambda: self._complete, STOP_SECONDS)

    def interrupt(self):
        """Ctrl-C; false if it did not end the program in time, which is then killed."""
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            self._signal(signal.SIGINT)
            if self.wait_until(lambda: False, AGAIN_SECONDS):
                return True
        self.kill()
        return False

    def kill(self):
        """Ends the program and what it has left running."""
        self._signal(signal.SIGKILL)

    def close(self):
        """Ends the program and what it has left running, and gives the terminal back."""
        self.kill()
        self._process.wait()
        os.close(self._slave)

    def _signal(self, number):
        os.killpg(self._process.pid, number)

    def _read(self):
        try:
            while data := os.read(self._master, 1 << 16):
                with self._changed:
                    if not self._complete:
                        self._output, mark, _ = (self._output + data).partition(self._mark)
                        self._complete = bool(mark) or len(self._output) > OUTPUT_BYTES
                    self._changed.notify_all()
        except OSError:
            # Nobody has the terminal open any more.
            pass
        os.close(self._master)
