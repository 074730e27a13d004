"""Captures error pages from the real programs that print them."""
