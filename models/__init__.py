"""Models of runs: record types of the API's responses, quirks of servers, and the tables."""
