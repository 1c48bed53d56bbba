//! A look at an expression before it is parsed: the parser recurses, so what is too deep must not reach it.
//!
//! Counts what can nest: brackets, and operators that hang on one another. The count is never less than the depth of the tree.

use super::{MAX_DEPTH, MAX_SOURCE, PolicyError};

/// Whether the expression is short and flat enough.
pub(super) fn check(source: &str) -> Result<(), PolicyError> {
    if source.len() > MAX_SOURCE {
        return Err(PolicyError::TooLong(source.len()));
    }
    let mut scan = Scan::default();
    let mut rest = source.as_bytes();
    while let Some(after) = scan.token(rest) {
        rest = after;
        if scan.open.len() > MAX_DEPTH || scan.depth() > MAX_DEPTH {
            return Err(PolicyError::TooDeep);
        }
    }
    Ok(())
}

/// One pair of brackets, or the whole.
#[derive(Default)]
struct Group {
    /// Operators since the last `&&`, `||` or comma.
    chain: usize,
    /// Questions since the last comma.
    questions: usize,
    /// The deepest brackets since the last comma.
    inner: usize,
    /// The deepest part before.
    deepest: usize,
}

impl Group {
    fn depth(&self) -> usize {
        self.deepest.max(self.chain + self.questions + self.inner)
    }

    fn part(&mut self) {
        self.deepest = self.depth();
        self.chain = 0;
    }
}

#[derive(Default)]
struct Scan {
    whole: Group,
    open: Vec<Group>,
}

impl Scan {
    fn group(&mut self) -> &mut Group {
        self.open.last_mut().unwrap_or(&mut self.whole)
    }

    fn depth(&self) -> usize {
        self.open.len() + self.open.last().unwrap_or(&self.whole).depth()
    }

    /// Takes one token off; none at the end.
    fn token<'s>(&mut self, source: &'s [u8]) -> Option<&'s [u8]> {
        let (&first, rest) = source.split_first()?;
        match first {
            b'"' | b'\'' => return Some(after_text(source, false)),
            b'/' if rest.first() == Some(&b'/') => {
                let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                return Some(rest.get(end..).unwrap_or_default());
            }
            b'(' | b'[' | b'{' => {
                self.group().chain += 1;
                self.open.push(Group::default());
            }
            b')' | b']' | b'}' => self.close(),
            b',' => {
                let group = self.group();
                group.part();
                (group.questions, group.inner) = (0, 0);
            }
            b'&' | b'|' => self.group().part(),
            b'?' => self.group().questions += 1,
            b'.' | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'<' | b'>' | b'=' => self.group().chain += 1,
            _ if is_word(first) => return Some(self.word(source)),
            _ => {}
        }
        Some(rest)
    }

    fn close(&mut self) {
        let depth = self.open.pop().map_or(0, |group| group.depth() + 1);
        let group = self.group();
        group.inner = group.inner.max(depth);
    }

    /// A name or number: `in` is an operator, and what stands before a quote says how to read the text.
    fn word<'s>(&mut self, source: &'s [u8]) -> &'s [u8] {
        let end = source.iter().position(|byte| !is_word(*byte)).unwrap_or(source.len());
        let (word, rest) = source.split_at(end);
        if word == b"in" {
            self.group().chain += 1;
        }
        let raw = matches!(
            word,
            b"r" | b"R" | b"rb" | b"rB" | b"Rb" | b"RB" | b"br" | b"bR" | b"Br" | b"BR"
        );
        match rest.first() {
            Some(b'"' | b'\'') => after_text(rest, raw),
            _ => rest,
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What follows a text, which begins with its quote; nothing when it does not end.
fn after_text(source: &[u8], raw: bool) -> &[u8] {
    let quote = source.first().copied().unwrap_or_default();
    let triple = [quote; 3];
    let (mut rest, end) = match source.strip_prefix(&triple) {
        Some(rest) => (rest, triple.as_slice()),
        None => (source.get(1..).unwrap_or_default(), triple.get(..1).unwrap_or_default()),
    };
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(end) {
            return after;
        }
        let step = if !raw && rest.first() == Some(&b'\\') { 2 } else { 1 };
        rest = rest.get(step..).unwrap_or_default();
    }
    rest
}
