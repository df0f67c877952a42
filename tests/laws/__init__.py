"""Laws: properties that hold for every state, every record and every log, searched for counterexamples."""
