"""The algebra of customer metrics and the wire it travels on; knows no engine, no layer and no clock."""
