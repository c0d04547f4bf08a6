"""Work: FLOPs and operations of a call, counted with data or without."""
