"""Lineage: what each run read and wrote, as OpenLineage events, and what is touched if a part of it is bad."""
