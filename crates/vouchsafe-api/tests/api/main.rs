//! The kinds, from outside: their definitions, and objects that they take and refuse.

#[cfg(test)]
mod cases;
mod chart;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod example;
#[cfg(test)]
mod gitops;
#[cfg(test)]
mod judge;
mod policies;
