//! Sockets, clocks and the tokio driver for the sans-IO LwM2M engines
