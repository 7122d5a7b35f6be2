//! Reads the layers of the configuration and gathers everything that is wrong with them.
