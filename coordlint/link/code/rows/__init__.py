"""Stored records and rows: how they are looked for, claimed, counted, changed and saved."""
