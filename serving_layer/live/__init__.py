"""Follows the published copies and computes what each one changed in its customer's metrics; prints nothing."""
