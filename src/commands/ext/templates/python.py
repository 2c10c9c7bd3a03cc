#!/usr/bin/env python3
# soong:summary: Say hello to whom you name
# soong:complete: soong
"""Say hello to whom you name.

Called as 'soong @NAME@'. soong reads the comments above without running this
program. 'complete: soong' means that it prints candidates and does nothing else
when SOONG_COMPLETE is set.
"""

import argparse
import getpass
import os
import sys


def parser():
    parser = argparse.ArgumentParser(prog="soong @NAME@", description="Say hello to whom you name")
    parser.add_argument("--shout", action="store_true", help="in capital letters")
    parser.add_argument("whom", nargs="?", default="world", help="whom to greet")
    return parser


def complete(words):
    """Prints one candidate per line, then the directive ':4' (no file names).

    The last word is the one being typed.
    """
    if words and words[-1].startswith("-"):
        candidates = [("--shout", "In capital letters"), ("--help", "Explain the command")]
    else:
        candidates = [("world", "Everybody"), (getpass.getuser(), "You")]
    for value, description in candidates:
        print(value, description, sep="\t")
    print(":4")


def main():
    if os.environ.get("SOONG_COMPLETE") == "1":
        complete(sys.argv[1:])
        return
    arguments = parser().parse_args()
    text = f"hello, {arguments.whom}"
    # os.environ["SOONG"] is the path of soong; 'tunnel url sglang' prints an address, for example.
    print(text.upper() if arguments.shout else text)


if __name__ == "__main__":
    main()
