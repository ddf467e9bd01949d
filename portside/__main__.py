"""`python -m portside` is what scripts/invoke runs; the command `portside` does the same under its own name."""

from portside.cli.program import main

main()
