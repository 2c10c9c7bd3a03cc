#!/usr/bin/env python3
"""Tests soong-@NAME@, which is expected beside this file."""

import os
import subprocess
import sys
import unittest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soong-@NAME@")


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


class Test(unittest.TestCase):
    def test_it_says_hello(self):
        self.assertEqual(run().stdout, "hello, world\n")
        self.assertEqual(run("--shout", "ann").stdout, "HELLO, ANN\n")

    def test_mistakes_are_told(self):
        self.assertEqual(run("--nonsense").returncode, 2)

    def test_words_are_completed(self):
        answer = run("--", SOONG_COMPLETE="1").stdout.splitlines()
        self.assertIn("--shout\tIn capital letters", answer)
        self.assertEqual(answer[-1], ":4")


if __name__ == "__main__":
    unittest.main()
