"""Following the published copies, and what each did to its customer's metrics."""
