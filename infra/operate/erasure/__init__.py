"""The operator's side of erasures: the record, its ledger, and all places but Iceberg and the slots. Knows no Spark."""
