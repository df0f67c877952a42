"""Runs a real Kafka and a real Cassandra, one node each, from jars on loopback ports under one home folder.

`servers` is the door; it knows no tables and no topics. Linux only: signals are sent through pidfds.
"""
