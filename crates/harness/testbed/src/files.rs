//! Files of text, with errors that name them.

use std::io::ErrorKind;
use std::path::Path;

/// Reads a file.
///
/// # Errors
/// A sentence that names it.
pub fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("failed to read `{}`: {error}", path.display()))
}

/// Reads a file that need not be there.
///
/// # Errors
/// A sentence that names it.
pub fn read_if_any(path: &Path) -> Result<Option<String>, String> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => read(path).map(Some),
    }
}

/// Writes a file, and makes the folder that it stands in.
///
/// # Errors
/// A sentence that names it.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| format!("failed to write `{}`: {error}", path.display()))
}
