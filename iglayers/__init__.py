"""IG Layers: a self-hosted platform for Instagram creator outreach."""

__version__ = "0.1.0"
