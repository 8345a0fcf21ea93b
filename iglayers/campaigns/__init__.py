"""Campaigns: who is written to for which client, with which text, how fast; and their life from draft to done.

Owns campaigns and campaign_steps. States: draft → running ⇄ paused, running → completed, completed → running,
draft, running and paused → cancelled. `paused` is only a person's; a blocked campaign goes on by itself.
"""
