//! A real browser on the page of our server: Debian's chromium, driven by `playwright-core` on Node.js.

use super::Error;
use super::installed::{available, daemon, on_path, peer_folder, peer_source, workspace};
use std::process::Command;

/// Scenarios of the dashboard, by the name of their script in `peers/browser`.
#[derive(Debug, Clone, Copy)]
pub struct Scenarios(pub &'static str);

impl Scenarios {
    /// Runs those with these names, or all. Returns what they printed, or that one failed; `None` without a
    /// browser. Screenshots are in `target/browser`.
    ///
    /// # Errors
    /// Node.js cannot be started, or our programs cannot be built.
    pub fn run(self, names: &[&str]) -> Result<Option<Outcome>, Error> {
        let modules = peer_folder("browser");
        let (node, chromium) = (on_path("node"), on_path("chromium"));
        let there = modules.join("node_modules").is_dir() && node.is_some();
        let (Some(node), Some(chromium)) = (node, chromium.filter(|_| there)) else {
            let _ = available("browser", false);
            return Ok(None);
        };
        let output = Command::new(node)
            .arg(peer_source("browser").join(self.0))
            .args(names)
            .env("LWM2M_BROWSER_MODULES", modules)
            .env("LWM2M_CHROMIUM", chromium)
            .env("LWM2M_SERVERD", daemon("lwm2m-serverd")?)
            .env("LWM2M_CLIENTD", daemon("lwm2m-clientd")?)
            .env("LWM2M_SHOTS", workspace().join("target/browser"))
            .output()
            .map_err(Error::io("node"))?;
        let said =
            [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
        Ok(Some(Outcome { passed: output.status.success(), said: said.concat() }))
    }
}

/// How scenarios went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Whether none failed.
    pub passed: bool,
    /// What they printed, and why one failed.
    pub said: String,
}
