"""The bodies of requests, answers and errors; knows no route and no store."""
