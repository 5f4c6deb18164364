"""The stages of a load by many machines into a lake, independent of the engine, which carries rows from one to the next."""
