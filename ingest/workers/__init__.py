"""Workers: processes that convert inputs beside the one that loads."""
