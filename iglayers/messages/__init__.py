"""The ledger: every attempt to write to somebody, who has had a first message, and the rules of pace.

Owns messages and first_contacts; knows campaigns, targets and senders by id only. An attempt is committed as
`sending` before the first byte leaves; what nobody knows is `unknown` and no machine tries it again.
"""
