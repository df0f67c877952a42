"""The whole system in one thread, with virtual time: the core's own code, and every fault that its ports can have."""
