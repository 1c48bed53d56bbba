//! Where what was guessed goes: to standard output as one stream, or into files of a folder.

use super::{AdoptError, guess::Guess, words};
use crate::cli::screen::{Screen, note};
use std::{fs, io, path::Path};

/// Writes everything. A file that is there already stays as it is: somebody may have completed it.
pub(super) fn all(guesses: &[Guess], folder: Option<&Path>, screen: &mut Screen) -> Result<(), AdoptError> {
    let Some(folder) = folder else {
        for (number, guess) in guesses.iter().enumerate() {
            if number > 0 {
                screen.document("---");
            }
            screen.document(&words::manifest(guess));
        }
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    for guess in guesses {
        let file = folder.join(format!("{}.yaml", guess.name));
        match fs::File::create_new(&file) {
            Ok(mut opened) => {
                io::Write::write_all(&mut opened, words::manifest(guess).as_bytes()).map_err(failed(&file))?;
                screen.line(&file.display().to_string());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                note(&format!("left as it is: {}", file.display()));
            }
            Err(error) => return Err(failed(&file)(error)),
        }
    }
    Ok(())
}

fn failed(file: &Path) -> impl FnOnce(io::Error) -> AdoptError {
    let file = file.display().to_string();
    |source| AdoptError::Write { file, source }
}
