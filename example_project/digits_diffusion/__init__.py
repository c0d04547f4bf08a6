"""A small, real diffusion model: handwritten digits, drawn on request."""
