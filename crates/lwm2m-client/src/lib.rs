//! A sans-IO LwM2M client
