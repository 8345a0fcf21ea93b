"""What every slice stands on: configuration, database, errors, ids, clock, crypto, text, paging, log.

No business word belongs here: what could appear on an invoice lives in a slice.
"""
