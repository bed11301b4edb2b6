//! The vocabulary of LwM2M: paths, values, nodes, content formats, attributes, operations, versions
