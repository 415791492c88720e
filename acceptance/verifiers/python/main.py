"""Answers each token of standard input with a line, by the program of docs/verifying-programs.md that the argument names."""
import importlib
import sys

from jwt import PyJWKClientConnectionError, PyJWTError

program = importlib.import_module(sys.argv[1])
for line in sys.stdin:
    try:
        print("good", program.verify(line.strip()), flush=True)
    except PyJWKClientConnectionError as error:
        print("down", error, flush=True)
    except PyJWTError as error:
        print("bad", error, flush=True)
