"""Answers each token of standard input with a line, by the program of docs/verifying.md that the argument names."""
import importlib
import sys

from jwt import PyJWTError

program = importlib.import_module(sys.argv[1])
for line in sys.stdin:
    try:
        print("good", program.verify(line.strip()), flush=True)
    except PyJWTError as error:
        print("bad", error, flush=True)
