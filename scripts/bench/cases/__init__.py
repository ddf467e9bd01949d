"""The cases: each module's `measure` yields what it found out, table by table."""
