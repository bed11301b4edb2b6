//! LwM2M for applications: client and server on one roof
