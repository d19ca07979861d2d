"""Measurements that the documents quote; not packaged. What each command prints: README.md."""
