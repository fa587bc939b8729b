"""Disasters played against stand-ins, to see what the sync does in them and to practise the runbook."""
