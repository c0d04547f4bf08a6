"""The data classes of the domain: frozen, slotted, with standard-library imports only."""
