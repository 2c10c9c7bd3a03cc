#!/usr/bin/env python3
"""Draws docs/session.svg: a real terminal session in which a tunnel loses its link and gets it back.

Runs bash in tmux against the instance of `examples/demo` and renders the screen. Needs tmux and
curl, and ports 8000, 5678 and 8080 free. `make pictures` builds what it runs.
"""

import html
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
COLUMNS, LINES = 78, 24
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8, 20, 16
FOREGROUND, BACKGROUND = "#c8c8c8", "#1d1f21"
COLORS = {"31": "#f2777a", "32": "#6fc36f", "33": "#e5c14b", "36": "#66c2cd"}
TIMEOUT = 60


class Terminal:
    """A bash in a tmux server of its own."""

    def __init__(self, home):
        self.server = f"soong-pictures-{os.getpid()}"
        self.prompt_file = home / "run/soong/prompt"
        # Only these variables reach the shell, and through it soong and ssh.
        environment = {
            "HOME": home,
            "XDG_RUNTIME_DIR": home / "run",
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        }
        shell = ["env", "-i", "TERM=tmux-256color", *(f"{k}={v}" for k, v in environment.items())]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES),
                  *shell, "bash", "--norc", "--noprofile")
        self.type('PS1="~ \\$ "; cd; eval "$(soong init bash)"; clear')
        self.wait_for(r"\A~ \$ *\Z")

    def tmux(self, *arguments):
        command = ["tmux", "-L", self.server, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def wait_for(self, pattern):
        """Waits until the screen matches `pattern`."""
        deadline = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.tmux("capture-pane", "-p").rstrip()):
            if time.monotonic() > deadline:
                sys.exit(f"no {pattern!r} on the screen:\n{self.tmux('capture-pane', '-p')}")
            time.sleep(0.05)

    def wait_until_reconnecting(self):
        deadline = time.monotonic() + TIMEOUT
        while "reconnecting" not in self.prompt_file.read_text():
            if time.monotonic() > deadline:
                sys.exit("the tunnel has not noticed that its link is lost")
            time.sleep(0.05)

    def screen(self):
        """Returns the lines of the screen with their colour sequences."""
        return self.tmux("capture-pane", "-e", "-p").rstrip().split("\n")


def record(demo, terminal):
    """Plays the session. `demo` is the running demo, which obeys `down` and `up` on its stdin."""

    def tell(word):
        print(word, file=demo.stdin, flush=True)

    terminal.type("soong tunnel start")
    terminal.wait_for(r":8080\n⇄ dev ~ \$\Z")
    tell("down")
    terminal.wait_until_reconnecting()
    terminal.type("# the instance reboots")
    terminal.wait_for(r"\n↻ dev reconnecting ~ \$\Z")
    terminal.type("curl -s localhost:8000/v1/models | grep id   # waits")
    terminal.wait_for(r"# waits\Z")
    time.sleep(1)  # until curl has connected
    tell("up")
    terminal.wait_for(r"\"id\".*\n⇄ dev ~ \$\Z")
    terminal.type("soong tunnel status")
    terminal.wait_for(r"Tunnel is running\n(  .*\n)+⇄ dev ~ \$\Z")


def draw(lines):
    """Returns the lines as SVG."""
    width = COLUMNS * CELL_WIDTH + 2 * MARGIN
    height = len(lines) * CELL_HEIGHT + 2 * MARGIN
    parts = []
    for row, line in enumerate(lines):
        column, color = 0, FOREGROUND
        for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
            sequence = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
            if sequence:
                color = COLORS.get(sequence[1].split(";")[-1], FOREGROUND)
                continue
            text = piece.strip(" ")
            if text:
                x = MARGIN + (column + len(piece) - len(piece.lstrip(" "))) * CELL_WIDTH
                y = MARGIN + row * CELL_HEIGHT + CELL_HEIGHT * 3 // 4
                length = len(text) * CELL_WIDTH
                parts.append(f'<text x="{x}" y="{y}" textLength="{length}" fill="{color}" '
                             f'xml:space="preserve">{html.escape(text)}</text>')
            column += len(piece)
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="monospace" font-size="13">\n'
            f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>\n{body}\n</svg>\n')


def main():
    command = [PROGRAMS / "examples/demo", "--serve"]
    demo = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    home = Path(demo.stdout.readline().strip())
    terminal = Terminal(home)
    try:
        record(demo, terminal)
        lines = terminal.screen()
    finally:
        terminal.type("clear; unset HISTFILE; soong tunnel stop; echo done")
        terminal.wait_for(r"\ndone\n")
        terminal.tmux("kill-server")
        demo.stdin.close()
        demo.wait(TIMEOUT)
    (ROOT / "docs/session.svg").write_text(draw(lines))


if __name__ == "__main__":
    main()
