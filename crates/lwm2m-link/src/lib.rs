//! The protocol layers below LwM2M stacked for each peer, with its authenticated identity
