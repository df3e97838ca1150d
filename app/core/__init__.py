"""The pure rooms: values in, values out. No SDK, no clock, no disk."""
