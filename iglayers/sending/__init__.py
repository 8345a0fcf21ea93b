"""The engine: how a message gets sent (`send.py`), what is cleared up afterwards, and what a person settles by hand.

Owns no table. Its statements write messages, first_contacts, targets, campaigns, senders and usage_months at
once, because one message is one transaction; `queries.py` is the only place outside their owners that may.
"""
