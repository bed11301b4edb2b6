//! Tools that a check may need, and how to find out whether they are there.

use crate::process::{command, output, succeeds};
use std::path::{Path, PathBuf};

/// Something that a machine may lack. The text of each says how to get it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tool {
    /// A program on the path.
    Program(&'static str, &'static str),
    /// A subcommand of cargo.
    CargoCommand(&'static str, &'static str),
    /// The standard library of a target.
    Target(&'static str, &'static str),
    /// The nightly compiler, installed by rustup.
    Nightly,
    /// The library by which bindgen reads the headers of C.
    LibClang,
}

impl Tool {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Program(name, _) => name.to_owned(),
            Self::CargoCommand(name, _) => format!("cargo-{name}"),
            Self::Target(name, _) => format!("the target {name}"),
            Self::Nightly => "the nightly compiler".to_owned(),
            Self::LibClang => "libclang".to_owned(),
        }
    }

    /// How to get it.
    pub(crate) fn get(self) -> &'static str {
        match self {
            Self::Program(_, get) | Self::CargoCommand(_, get) | Self::Target(_, get) => get,
            Self::Nightly => "rustup toolchain install nightly",
            Self::LibClang => "apt-get install libclang-dev",
        }
    }

    pub(crate) fn is_there(self, root: &Path) -> bool {
        match self {
            Self::Program(name, _) => on_path(name),
            Self::CargoCommand(name, _) => {
                succeeds(&mut command(root, "cargo", &[name, "--version"]))
            }
            Self::Target(name, _) => sysroot(root)
                .is_some_and(|sysroot| sysroot.join("lib/rustlib").join(name).join("lib").is_dir()),
            Self::Nightly => succeeds(&mut command(root, "rustc", &["+nightly", "--version"])),
            Self::LibClang => {
                std::env::var_os("LIBCLANG_PATH").is_some() || libclang_folders().next().is_some()
            }
        }
    }
}

/// Whether a program is in a folder of the path.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The folder of the toolchain.
pub(crate) fn sysroot(root: &Path) -> Option<PathBuf> {
    let text = output(&mut command(root, "rustc", &["--print", "sysroot"])).ok()?;
    Some(PathBuf::from(text.trim()))
}

/// The folders of the system that have a shared libclang.
fn libclang_folders() -> impl Iterator<Item = PathBuf> {
    let llvm = entries("/usr/lib").filter(|it| file_name(it).starts_with("llvm-"));
    let llvm = llvm.map(|folder| folder.join("lib"));
    let plain = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/opt/llvm/lib"];
    let multiarch = entries("/usr/lib").filter(|it| file_name(it).ends_with("-linux-gnu"));
    let all = plain.into_iter().map(PathBuf::from).chain(llvm).chain(multiarch);
    all.filter(|folder| entries(folder).any(|file| is_libclang(&file_name(&file))))
}

/// The names that bindgen loads: `libclang.so`, `libclang-14.so.1`, `libclang.dylib`, … The library
/// of C++, `libclang-cpp`, does not serve.
fn is_libclang(name: &str) -> bool {
    let library = name.contains(".so") || name.ends_with(".dylib");
    name.starts_with("libclang") && !name.starts_with("libclang-cpp") && library
}

fn entries(folder: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_found_where_they_are() {
        let root = Path::new(".");
        assert!(Tool::Program("cargo", "").is_there(root));
        assert!(!Tool::Program("no-such-program", "").is_there(root));
        assert!(!Tool::CargoCommand("no-such-command", "").is_there(root));
        assert!(!Tool::Target("no-such-target", "").is_there(root));
    }

    #[test]
    fn the_library_of_cpp_is_not_libclang() {
        assert!(is_libclang("libclang.so") && is_libclang("libclang-14.so.1"));
        assert!(is_libclang("libclang.dylib"));
        assert!(!is_libclang("libclang-cpp.so.14") && !is_libclang("libclang.a"));
    }
}
