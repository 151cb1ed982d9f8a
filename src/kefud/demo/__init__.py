"""A small estate to try kefud on: sample mail, calls and scanned letters, and mail servers on this machine alone."""
