//! A message that parses is built again with the same fields, and in no more bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_coap::{MessageBuilder, MessageView, Options};

fuzz_target!(|datagram: &[u8]| {
    let Ok(message) = MessageView::parse(datagram) else { return };
    let mut built = Vec::new();
    begin(&mut built, &message).options(&message.to_options()).payload(message.payload());
    let again = MessageView::parse(&built).expect("built from a good message");
    assert!(again.options().eq(message.options()));
    assert_eq!((again.kind(), again.code()), (message.kind(), message.code()));
    assert_eq!((again.message_id(), again.token()), (message.message_id(), message.token()));
    assert_eq!(again.payload(), message.payload());

    let mut options = Options::new();
    message.options().for_each(|(number, value)| options.push(number, value));
    assert!(options.iter().eq(message.options()));
    let mut canonical = Vec::new();
    let builder = begin(&mut canonical, &message);
    let builder = options.iter().fold(builder, |builder, (n, value)| builder.option(n, value));
    builder.payload(message.payload());
    assert!(canonical.len() <= datagram.len());
    read_options(&options);
});

fn begin<'a>(buffer: &'a mut Vec<u8>, message: &MessageView<'_>) -> MessageBuilder<'a> {
    let (kind, code) = (message.kind(), message.code());
    MessageBuilder::new(buffer, kind, code, message.message_id(), message.token())
}

fn read_options(options: &Options) {
    let _ = (options.content_format(), options.accept(), options.observe(), options.max_age());
    let _ = (options.uri_path().count(), options.uri_query().count(), format!("{options:?}"));
    for (number, _) in options.iter().take(32) {
        assert!(options.get(number).is_some());
        let _ = options.get_uint(number);
    }
}
