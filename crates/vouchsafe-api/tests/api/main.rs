//! The kinds, from outside: their definitions, and objects that they take and refuse.

mod definitions;
