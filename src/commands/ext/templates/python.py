#!/usr/bin/env python3
# soong:summary: Say hello to whom you name
# soong:complete: soong
"""Say hello to whom you name.

Called as 'soong @NAME@'. What stands in the comments above is read by soong and
never asked by running this; 'complete: soong' is the promise that the program
answers when SOONG_COMPLETE is set, and does nothing else then.
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
    """Prints a line per word that could stand last, its description behind a tab, and a last
    line ':4' (no names of files). The last of the words is the one being typed."""
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
    # os.environ["SOONG"] is soong itself: it can be asked for 'tunnel url sglang', for example.
    print(text.upper() if arguments.shout else text)


if __name__ == "__main__":
    main()
