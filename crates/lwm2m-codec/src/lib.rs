//! LwM2M payloads of every content format to and from typed nodes
