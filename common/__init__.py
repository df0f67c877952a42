"""What the layers share: the algebra, the log's records, the servers' clients, settings. Knows no layer or engine."""
