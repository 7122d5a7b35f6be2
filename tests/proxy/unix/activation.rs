//! Sockets that a service manager hands over.
