"""Builders of the documents in documents.jsonl."""
