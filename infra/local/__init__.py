"""One machine: its servers, its set-up, its demo and its doctor."""
