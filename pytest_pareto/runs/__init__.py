"""Fresh processes: one run each."""
