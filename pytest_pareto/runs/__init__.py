"""Fresh processes, one run each; of this code, or of a git ref's beside it."""
