"""Worker processes: read and convert inputs while the main process loads."""
