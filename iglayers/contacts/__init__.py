"""Who a person is, and who must not be written to. Owns contacts and suppressions.

A contact is a row per canonical username and workspace; upload, suppression, ledger and sending lock it.
"""
