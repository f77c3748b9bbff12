"""A local page in the browser: what the commands do, on pictures that are dropped there."""
