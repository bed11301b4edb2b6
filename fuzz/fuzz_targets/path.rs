//! A path that parses is written in the one canonical way, and that parses to the same path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_core::Path;

fuzz_target!(|text: &str| {
    if let Ok(path) = text.parse::<Path>() {
        assert_eq!(path.to_string().parse(), Ok(path));
        assert_eq!(Path::from_ids(path.ids()), Ok(path));
        assert!(Path::ROOT.contains(&path));
    }
});
