"""Work: what a call asks of a device, counted with data or without any."""
