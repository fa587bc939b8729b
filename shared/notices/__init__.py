"""Notices: telling a webhook of trouble once per episode, and once when it is over.

observation (figures, runs) -> conditions -> episodes (kept in a document) -> payload -> sender
"""
