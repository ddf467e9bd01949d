"""`python -m portside` is what scripts/invoke runs: the tasks of tasks.py."""

from portside.cli.program import main

main()
