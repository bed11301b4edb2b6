//! A sans-IO LwM2M server
