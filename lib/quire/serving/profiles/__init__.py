"""Profiles: what a device needs for every layer of a model, measured, and the cost of a step."""
