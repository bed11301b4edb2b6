//! Keys and certificates of a server and a device, made by `lwm2m keys`.

use super::Error;
use super::installed::program;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder with keys. Dropping this deletes the folder.
#[derive(Debug)]
pub struct Material {
    folder: PathBuf,
}

impl Material {
    /// Makes key pairs (`server-rpk`, `device-rpk`), an authority (`ca`), and what it signs
    /// (`server` for `localhost`, `device` for the endpoint).
    ///
    /// # Errors
    /// The command cannot be built, or a file not be written.
    pub fn new(endpoint: &str) -> Result<Self, Error> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("lwm2m-testkit-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(Error::io("a folder for keys"))?;
        let fixtures = Self { folder };
        for arguments in [
            &["rpk", "server-rpk"][..],
            &["rpk", "device-rpk"],
            &["ca", "ca"],
            &["cert", "server", "--ca", "ca", "--server", "localhost"],
            &["cert", "device", "--ca", "ca", "--client", endpoint],
        ] {
            fixtures.make(arguments)?;
        }
        Ok(fixtures)
    }

    fn make(&self, arguments: &[&str]) -> Result<(), Error> {
        let mut command = Command::new(program("lwm2m-cli", "lwm2m")?);
        let output = command.current_dir(&self.folder).arg("keys").args(arguments).output();
        let output = output.map_err(Error::io("lwm2m keys"))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let text = String::from_utf8_lossy(&output.stderr).into_owned();
                Err(Error::Garbled { what: "lwm2m keys", text })
            }
        }
    }

    /// The path of a file, such as `device.crt`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file as hexadecimal digits.
    ///
    /// # Errors
    /// There is no such file.
    pub fn hex(&self, name: &str) -> Result<String, Error> {
        let bytes = std::fs::read(Path::new(&self.file(name))).map_err(Error::io("a key file"))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What a file in PEM encodes, as hexadecimal digits.
    ///
    /// # Errors
    /// There is no such file, or it is not in PEM.
    pub fn der(&self, name: &str) -> Result<String, Error> {
        let text = std::fs::read_to_string(self.file(name)).map_err(Error::io("a key file"))?;
        let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64_STANDARD.decode(&body);
        let der = der.map_err(|_| Error::Garbled { what: "a file in PEM", text })?;
        Ok(der.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Drop for Material {
    fn drop(&mut self) {
        // A failure leaves files in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
