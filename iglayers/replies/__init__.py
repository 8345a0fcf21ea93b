"""What came back: replies matched to what was written, opt-outs, labels, echoes as evidence, and conversations.

Owns replies. A worker reads the raw facts of `senders.inbound`, one transaction each; a person may log a reply by hand.
"""
