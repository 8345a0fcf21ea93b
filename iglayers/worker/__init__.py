"""The worker process: tasks that send, and the loops beside them. Wiring only; what they do stands in the slices."""
