//! Datagrams that came to the wrong port. The engine drops them without a word, as their standards
//! demand.

/// What is wrong with a datagram, by its first byte; `None` if the port may be the right one.
/// RFC 7983 tells protocols apart in the same way.
pub(super) fn of(secured: bool, datagram: &[u8]) -> Option<&'static str> {
    Some(match (secured, datagram) {
        (false, [20..=25 | 27, 0xfe, ..]) => {
            "DTLS came to the port for coap; use the port for coaps"
        }
        (true, [0x40..=0x7f, ..]) => {
            "CoAP in the clear came to the port for coaps; use the port for coap, or give the \
             device keys"
        }
        (true, [0x20..=0x3f, ..]) => "a record of DTLS 1.3 came; only DTLS 1.2 is spoken here",
        (true, [20..=27, ..] | []) | (false, _) => return None,
        (true, _) => "what came to the port for coaps is not DTLS",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_apart() {
        let (coap, dtls) = (&[0x44, 1, 0, 1][..], &[22, 0xfe, 0xfd, 0][..]);
        assert_eq!((of(false, coap), of(true, dtls), of(true, &[])), (None, None, None));
        assert!(of(true, coap).is_some_and(|text| text.contains("CoAP in the clear")));
        assert!(of(false, dtls).is_some_and(|text| text.contains("port for coaps")));
        assert!(of(true, &[0x2f, 1]).is_some_and(|text| text.contains("1.3")));
        assert!(of(true, &[0x80]).is_some_and(|text| text.contains("not DTLS")));
    }
}
