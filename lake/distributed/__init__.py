"""The stages of a load by many machines, independent of the engine, which carries rows from one to the next."""
