"""A real Kafka and a real Cassandra, one node each, run from jars on loopback ports under one home folder.

`servers` starts and stops them, `schema` makes tables and topics on any cluster, `guard` stops what a killed
parent left behind. Linux only: signals go by pidfd.
"""
