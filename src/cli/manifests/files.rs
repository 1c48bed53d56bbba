//! Files, folders and standard input, within bounds.

use super::ManifestError;
use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// Bytes of one file.
pub(crate) const MAX_FILE: u64 = 32 * 1024 * 1024;
/// Files of one folder, and of those below it.
const MAX_FILES: usize = 10_000;
/// Levels of folders.
const MAX_DEPTH: usize = 32;

/// What standard input is called.
const INPUT: &str = "standard input";

/// A file that was read.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether it was found in a folder, and not named by the user.
    pub(crate) found: bool,
}

impl File {
    /// Whether it is standard input.
    pub(crate) fn is_input(&self) -> bool {
        self.name == INPUT
    }
}

/// Reads a file, `-` for standard input, or every YAML and JSON file of a folder and of those below it, in order of their names.
pub(super) fn read(place: &str) -> Result<Vec<File>, ManifestError> {
    if place == "-" {
        return Ok(vec![File {
            name: INPUT.to_owned(),
            bytes: bounded(io::stdin().lock(), INPUT)?,
            found: false,
        }]);
    }
    let path = Path::new(place);
    let folder = inspect(path)?.is_dir();
    let mut paths = Vec::new();
    if folder {
        walk(path, 0, &mut paths)?;
    } else {
        paths.push(path.to_owned());
    }
    let read = |path: PathBuf| {
        Ok(File {
            bytes: read_file(&path)?,
            name: path.display().to_string(),
            found: folder,
        })
    };
    paths.into_iter().map(read).collect()
}

/// The bytes of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, ManifestError> {
    let name = path.display().to_string();
    let file = fs::File::open(path).map_err(|source| unreadable(path, source))?;
    bounded(file, &name)
}

fn bounded(from: impl io::Read, name: &str) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = Vec::new();
    let read = from.take(MAX_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|source| unreadable(Path::new(name), source))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ManifestError::TooLarge(name.to_owned()));
    }
    Ok(bytes)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ManifestError> {
    if depth > MAX_DEPTH {
        return Err(ManifestError::TooDeep(folder.display().to_string()));
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<_> = entries
        .map_err(|source| unreadable(folder, source))?
        .iter()
        .map(fs::DirEntry::path)
        .collect();
    paths.sort();
    for path in paths {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        let linked = fs::symlink_metadata(&path).is_ok_and(|of| of.is_symlink());
        if inspect(&path)?.is_dir() {
            if !linked {
                walk(&path, depth + 1, found)?;
            }
        } else if is_manifest(&path) {
            found.push(path);
        }
        if found.len() > MAX_FILES {
            return Err(ManifestError::TooMany(folder.display().to_string()));
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["yaml", "yml", "json"].contains(&ending))
}

fn inspect(path: &Path) -> Result<fs::Metadata, ManifestError> {
    fs::metadata(path).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> ManifestError {
    let file = path.display().to_string();
    ManifestError::Read { file, source }
}
