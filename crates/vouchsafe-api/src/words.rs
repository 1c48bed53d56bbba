//! The macro by which enumerations are written: CamelCase words, in manifests and in Rust alike.

/// An enumeration of words, with its schema, [`as_str`](str) and `Display`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $word:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$of])* $word,)+ }

        impl $name {
            /// The word, as written in manifests.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => stringify!($word),)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

/// Conversions between an enumeration of the API and the same one in core, both ways; a word that is missing in either does not compile.
macro_rules! mirrors {
    ($($api:ty => $core:ty { $($word:ident)+ })+) => {$(
        impl From<$api> for $core {
            fn from(word: $api) -> Self {
                match word { $(<$api>::$word => Self::$word,)+ }
            }
        }

        impl From<$core> for $api {
            fn from(word: $core) -> Self {
                match word { $(<$core>::$word => Self::$word,)+ }
            }
        }
    )+};
}

pub(crate) use mirrors;
