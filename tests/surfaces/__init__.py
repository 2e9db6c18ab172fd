"""The public surfaces of the package, as they were agreed on: what users type, call, store and watch."""
