"""Walks through functions: which calls happen, under which locks, guarded by what, and the sections made of them."""
