"""Fresh processes, one per run, of this code or of the code at a git ref."""
