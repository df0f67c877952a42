"""The quality gate: judges the records that are new to a run before anything is computed from them. Excludes none."""
