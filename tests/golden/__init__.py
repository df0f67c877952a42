"""The golden corpus (R7): generated records and images, and the digests of what each declared version makes of them.

Sections are frozen: each has a seed of its own, so a new one changes no other. A changed generator changes its corpus,
which the guard refuses, too. For a new kind, field or rule, add a section and record it: `python -m tests.golden`.
"""
