//! The dashboard in a real browser: `peers/browser` has the scenarios. Screenshots are in `target/browser`.

use lwm2m_testkit::peer::Scenarios;

fn passes(script: &'static str, names: &[&str]) {
    let outcome = Scenarios(script).run(names).expect("a browser");
    assert!(outcome.as_ref().is_none_or(|it| it.passed), "{}", outcome.unwrap_or_default().said);
}

/// From the link of the first start to a live chart; log-ins, a viewer, a server that goes away.
#[test]
fn newcomers_get_in_and_strangers_do_not() {
    passes("tour.mjs", &[]);
}

/// Write, execute, create, delete, conditions, several at once, credentials, users; by keyboard alone.
#[test]
fn operators_do_all_operations() {
    passes("operate.mjs", &[]);
}

/// 100,000 devices, hostile names and values, a phone, a device that sleeps.
#[test]
fn fleets_of_every_kind_are_shown() {
    passes("fleet.mjs", &[]);
}

/// Each view, light and dark, large and small, without serious findings of axe-core.
#[test]
fn all_views_are_accessible() {
    passes("views.mjs", &[]);
}
