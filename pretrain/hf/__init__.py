"""Files that travel with an export: copied, never imported here (they need transformers)."""
