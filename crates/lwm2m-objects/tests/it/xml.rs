//! Definitions in XML.

use lwm2m_core::{DataType, Operations};
use lwm2m_objects::{Registry, Value, xml};

const OWN: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<LWM2M xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:noNamespaceSchemaLocation="http://openmobilealliance.org/tech/profiles/LWM2M-v1_1.xsd">
  <Object ObjectType="MODefinition">
    <Name>Kettle</Name>
    <Description1><![CDATA[Boils water]]></Description1>
    <ObjectID>33000</ObjectID>
    <ObjectURN>urn:oma:lwm2m:x:33000:1.2</ObjectURN>
    <LWM2MVersion>1.1</LWM2MVersion>
    <ObjectVersion>1.2</ObjectVersion>
    <MultipleInstances>Multiple</MultipleInstances>
    <Mandatory>Optional</Mandatory>
    <Resources>
      <Item ID="1"><Name>Boil</Name><Operations>E</Operations>
        <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>
        <Type></Type><RangeEnumeration></RangeEnumeration><Units></Units></Item>
      <Item ID="0"><Name>Level</Name><Operations>RW</Operations>
        <MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>
        <Type>Integer</Type><RangeEnumeration>0..100</RangeEnumeration><Units>/100</Units>
        <Description>How full</Description></Item>
    </Resources>
  </Object>
</LWM2M>"#;

#[test]
fn a_definition_is_read_with_all_that_checks_need() {
    let objects = xml::parse(&format!("\u{feff}{OWN}")).expect("a definition");
    let kettle = &objects[0].definition;
    assert_eq!((kettle.id(), kettle.name()), (33_000, "Kettle"));
    assert_eq!(kettle.version().to_string(), "1.2");
    assert!(kettle.multiple() && !kettle.mandatory());
    let level = kettle.resource(0).expect("a resource");
    assert_eq!((level.data_type(), level.operations()), (DataType::Integer, Operations::RW));
    assert!(level.mandatory() && level.check(&Value::Integer(101)).is_err());
    assert_eq!(kettle.resource(1).map(|it| it.data_type()), Some(DataType::None));
    let text = &OWN[objects[0].range.clone()];
    assert!(text.starts_with("<Object ") && text.ends_with("</Object>"), "{text}");
    let registry = Registry::with(objects.into_iter().map(|it| it.definition));
    assert_eq!(registry.object(33_000, None).map(|it| it.name()), Some("Kettle"));
}

#[test]
fn an_error_names_the_line_and_the_remedy() {
    let table = [
        ("<Type>Integer</Type>", "<Type>Number</Type>", 19, "`Number`; write String, Integer"),
        ("<Operations>RW<", "<Operations>RX<", 17, "write R, W, RW, E"),
        ("<ObjectID>33000<", "<ObjectID>65535<", 7, "0 to 65534"),
        ("<ObjectID>33000</ObjectID>", "", 4, "ObjectID is missing"),
        ("<ObjectVersion>1.2<", "<ObjectVersion>x<", 10, "a version such as"),
        ("<Item ID=\"0\">", "<Item ID=\"1\">", 17, "resource 1 is defined twice"),
        ("<Name>Kettle</Name>", "<Name/>", 4, "there is no Name"),
        (
            "<Mandatory>Optional</Mandatory>\n    <Res",
            "<Mandatory>x</Mandatory>\n    <Res",
            12,
            "Mandatory or Optional",
        ),
        ("</Resources>", "", 22, "expected 'Resources' tag"),
        ("<Object ", "<Thing ", 1, ""),
        (
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
            "<!DOCTYPE a [<!ENTITY a \"b\">]>",
            1,
            "DTD",
        ),
    ];
    for (from, to, line, what) in table {
        let changed = OWN.replacen(from, to, 1);
        assert_ne!(changed, OWN, "{from}");
        let error = xml::parse(&changed).expect_err(to);
        assert!(error.what.contains(what), "{error}");
        assert!(what.is_empty() || error.line == line, "{line}: {error}");
    }
    for text in ["", "x", "<LWM2M/>", "<a/>"] {
        assert!(xml::parse(text).is_err(), "{text}");
    }
    let twice = OWN.replace("</LWM2M>", &OWN[OWN.find("<Object ").unwrap()..]);
    assert!(xml::parse(&twice).unwrap_err().what.contains("defined twice in version 1.2"));
}

#[test]
fn depth_and_attributes_are_bounded_before_they_cost_anything() {
    let refused = |text: &str| xml::parse(text).map(|_| ()).unwrap_err();
    let attributes: String = (0..17).map(|it| format!(" a{it}=\"<='\"")).collect();
    let error = refused(&OWN.replace("<Item ID=\"1\"", &format!("<Item{attributes}")));
    assert!(error.line == 14 && error.what.contains("16 attributes"), "{error}");
    let deep = |depth| format!("{}{}", "<LWM2M>\n".repeat(depth), "</LWM2M>".repeat(depth));
    assert!(refused(&deep(17)).what.contains("stands in 16"));
    assert!(refused(&deep(16)).what.contains("no element Object"));
    assert!(refused(&"<a>".repeat(300_000)).what.contains("stands in 16"));
    let others = "<!-- <a b='1'> --><![CDATA[<a><a>]]><?a <a> ?><a b='>'/>".repeat(17);
    let text = OWN.replace("<Resources>", &format!("{others}<Resources>"));
    assert_eq!(xml::parse(&text).map(|it| it.len()), Ok(1));
}

#[test]
fn no_text_makes_it_panic_or_grow() {
    for length in (0..OWN.len()).filter(|it| OWN.is_char_boundary(*it)) {
        assert!(xml::parse(&OWN[..length]).is_err(), "{length}");
    }
    let deep = 100_000;
    let nested = format!("<LWM2M>{}{}</LWM2M>", "<a>".repeat(deep), "</a>".repeat(deep));
    let _ = xml::parse(&nested);
    let many = format!("<LWM2M>{}</LWM2M>", "<a/>".repeat(300_000));
    assert!(xml::parse(&many).is_err());
}
