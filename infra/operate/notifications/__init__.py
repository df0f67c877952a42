"""What an operator does with notifications: lists them, sends what was not sent, forwards alerts. Knows no Spark."""
