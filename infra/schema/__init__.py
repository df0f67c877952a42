"""Tables and topics of a deployment, applied to any cluster."""
