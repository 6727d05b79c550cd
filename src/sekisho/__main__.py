"""`python -m sekisho` is the `sekisho` command; the supervisor starts its roles this way."""

from sekisho.cli.main import run

run()
