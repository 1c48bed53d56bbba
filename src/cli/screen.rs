//! What is printed: text that is safe for a terminal, coloured only where somebody looks.
//!
//! Takes words from anywhere, the cluster and files included; gives text without control characters. Nothing here decides anything.

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

/// How a text is shown on a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// What is good.
    Good,
    /// What is bad.
    Bad,
    /// What is waited for.
    Wait,
    /// What matters less.
    Dim,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[31m",
            Self::Wait => "\u{1b}[33m",
            Self::Dim => "\u{1b}[2m",
        }
    }
}

/// The output of one verb, written at its end.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    colour: bool,
    text: String,
}

impl Screen {
    /// A screen as standard output wants it: coloured on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    pub(crate) fn of_stdout() -> Self {
        let unwanted = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: io::stdout().is_terminal() && !unwanted("NO_COLOR") && !dumb,
            text: String::new(),
        }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(&clean(text));
        self.text.push('\n');
    }

    /// Adds a line of one style.
    pub(crate) fn styled(&mut self, style: Style, text: &str) {
        let painted = self.paint(style, text);
        self.text.push_str(&painted);
        self.text.push('\n');
    }

    /// Adds a line of differently styled pieces.
    pub(crate) fn pieces(&mut self, pieces: &[(Style, &str)]) {
        for (style, text) in pieces {
            let painted = self.paint(*style, text);
            self.text.push_str(&painted);
        }
        self.text.push('\n');
    }

    /// Adds a document that a machine reads, which is encoded already.
    pub(crate) fn document(&mut self, text: &str) {
        self.text.push_str(text);
        if !text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Adds JSON.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        self.document(&text);
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let text = clean(text);
        if self.colour && style != Style::Plain {
            format!("{}{text}\u{1b}[0m", style.code())
        } else {
            text
        }
    }

    /// What was printed and not written yet.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Writes what there is to standard output. A reader that went away is no error.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

/// Writes one line to standard error; that nobody reads it is no error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", clean(text));
}

/// The text with everything that could steer a terminal or reorder what is read written out: control characters, line ends included,
/// and the marks of bidirectional text.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for letter in text.chars() {
        if steers(letter) {
            let _ = write!(cleaned, "\\u{{{:x}}}", u32::from(letter));
        } else {
            cleaned.push(letter);
        }
    }
    cleaned
}

fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        let mut screen = Screen {
            colour: true,
            text: String::new(),
        };
        screen.styled(Style::Bad, "a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}e");
        assert_eq!(
            screen.as_str(),
            "\u{1b}[31ma\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d\\u{9b}e\u{1b}[0m\n"
        );
    }

    #[test]
    fn without_a_terminal_there_is_no_colour() {
        let mut screen = Screen::default();
        screen.pieces(&[(Style::Bold, "a"), (Style::Plain, " b")]);
        assert_eq!(screen.as_str(), "a b\n");
    }
}
