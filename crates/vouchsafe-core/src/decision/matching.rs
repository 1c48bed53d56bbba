//! Pairing: as many seats as can be taken, each by another taker.
//!
//! Used where one person, or one key, must not count twice. Deterministic: earlier seats are served first, earlier takers preferred.

use std::collections::{BTreeMap, BTreeSet};

/// For each seat, who may take it; gives who takes which. A seat that could be taken by moving somebody to another seat is taken.
pub(super) fn pair<T: Ord + Copy>(seats: &[Vec<T>]) -> BTreeMap<T, usize> {
    let mut taken = BTreeMap::new();
    for seat in 0..seats.len() {
        take(seats, seat, &mut taken, &mut BTreeSet::new());
    }
    taken
}

fn take<T: Ord + Copy>(seats: &[Vec<T>], seat: usize, taken: &mut BTreeMap<T, usize>, asked: &mut BTreeSet<T>) -> bool {
    for &taker in seats.get(seat).into_iter().flatten() {
        if !asked.insert(taker) {
            continue;
        }
        let free = match taken.get(&taker).copied() {
            None => true,
            Some(other) => take(seats, other, taken, asked),
        };
        if free {
            taken.insert(taker, seat);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_with_two_roles_is_used_where_nobody_else_can() {
        let pairs = |seats: &[&[u8]]| pair(&seats.iter().map(|seat| seat.to_vec()).collect::<Vec<_>>());
        assert_eq!(pairs(&[&[1, 2], &[1]]), BTreeMap::from([(1, 1), (2, 0)]));
        assert_eq!(pairs(&[&[1], &[1]]), BTreeMap::from([(1, 0)]));
        assert_eq!(
            pairs(&[&[1, 2], &[2, 3], &[1]]),
            BTreeMap::from([(1, 2), (2, 0), (3, 1)])
        );
        assert_eq!(pairs(&[&[], &[7]]), BTreeMap::from([(7, 1)]));
    }
}
