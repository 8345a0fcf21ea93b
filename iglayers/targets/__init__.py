"""The people of a campaign: what was uploaded about them, and how far each has come.

Owns targets, imports and import_rejects. States: queued, sending, awaiting_operator, sent, replied, failed, skipped,
cancelled, unknown; they add up to the number of targets. The engine moves them on; this slice uploads and cancels.
"""
