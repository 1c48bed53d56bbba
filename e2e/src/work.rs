//! A folder of one run: data, logs, kubeconfigs. It lies under `e2e/.work`, is emptied when the next run of the same name begins, and
//! is held by a lock that ends with the process, so that two runs side by side get two folders.

use anyhow::{Context, Result, bail};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

/// Runs of one name that may go on at the same time.
const SIDE_BY_SIDE: usize = 32;

/// The folder, held while this lives.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    _lock: File,
}

impl Work {
    /// Takes and empties the first free folder of that name.
    ///
    /// # Errors
    /// When the folder cannot be written, or too many runs are under way.
    pub fn take(name: &str) -> Result<Self> {
        Self::take_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".work"), name)
    }

    fn take_under(root: &Path, name: &str) -> Result<Self> {
        std::fs::create_dir_all(root).with_context(|| format!("cannot make the folder `{}`", root.display()))?;
        for number in 1..=SIDE_BY_SIDE {
            let folder = root.join(if number == 1 {
                name.to_owned()
            } else {
                format!("{name}-{number}")
            });
            let path = folder.with_extension("lock");
            let lock = File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
            match lock.try_lock() {
                Ok(()) => return Self::emptied(folder, lock),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
                }
            }
        }
        bail!(
            "{SIDE_BY_SIDE} runs named `{name}` are under way in `{}`",
            root.display()
        )
    }

    fn emptied(folder: PathBuf, lock: File) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty `{}`", folder.display()))?;
        }
        for part in ["logs", "home"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part).with_context(|| format!("cannot make the folder `{}`", part.display()))?;
        }
        Ok(Self { folder, _lock: lock })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path inside it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where the log of a process goes.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// The home of programs that keep caches and settings there, so that they find none of the caller's.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }
}

#[cfg(test)]
mod tests {
    use super::Work;

    #[test]
    fn runs_side_by_side_do_not_share_and_the_next_one_begins_empty() {
        let root = tempfile::tempdir().unwrap();
        let first = Work::take_under(root.path(), "suite").unwrap();
        let second = Work::take_under(root.path(), "suite").unwrap();
        assert_ne!(first.folder(), second.folder());
        std::fs::write(first.path("left"), "over").unwrap();
        let folder = first.folder().to_path_buf();
        drop(first);
        let third = Work::take_under(root.path(), "suite").unwrap();
        assert_eq!(third.folder(), folder);
        assert!(!third.path("left").exists());
    }
}
