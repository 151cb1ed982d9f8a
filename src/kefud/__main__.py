"""`python -m kefud` is the `kefud` command."""

from kefud.cli import main

main()
