"""Plays the `sekisho` command in this process, through the same door as the installed program."""

import contextlib
import io
import json
import os
import sys
from typing import Any, NamedTuple

from sekisho.cli.main import run


class Result(NamedTuple):
    code: int
    out: str
    err: str

    def rows(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def sekisho(*words: str, typed: bytes = b"", language: str = "en") -> Result:
    """`typed` is standard input, which is no terminal."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv, sys.stdin, dict(os.environ)
    sys.argv, sys.stdin = ["sekisho", *words], io.TextIOWrapper(io.BytesIO(typed))
    os.environ["LANGUAGE"] = language
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv, sys.stdin = before[:2]
        os.environ.clear()
        os.environ.update(before[2])
    return Result(code, out.getvalue(), err.getvalue())
