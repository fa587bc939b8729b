"""Mutation testing: which small faults in `shared/sync` and `shared/resilience` do the unit tests notice?

`make mutants` takes a seeded sample of the faults that `faults.py` can make, puts them one by one into a copy
of the tree, and runs the tests that reach the line (by coverage, per test). What survives is printed as file,
line and difference, to be judged: a test is missing, or the two are the same to everybody who looks.

Why no tool: cosmic-ray starts pytest anew for each mutant, with all tests; mutmut (3.8) has no sample, names
no lines, and leaves alone what is outside of functions and nearly all that has a decorator, properties too.
"""
