//! The status codes that are counted by themselves; never more, so that a label stays bounded.

/// Every code the server can answer with. A code that is not here is counted as `other`.
pub(super) const STATUSES: [u16; 27] = [
    200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 411, 412, 413, 414, 415, 417, 421, 422, 428, 429, 431,
    500, 501, 503, 505,
];

/// Slots for status counts: one a code, and the last for `other`.
pub(super) const STATUS_SLOTS: usize = STATUSES.len() + 1;

const CODE_MIN: usize = 100;
const CODE_MAX: usize = 599;

/// Slot by code: one load on the request path instead of a search.
static SLOTS: [u8; CODE_MAX - CODE_MIN + 1] = {
    let mut slots = [STATUSES.len() as u8; CODE_MAX - CODE_MIN + 1];
    let mut slot = 0;
    while slot < STATUSES.len() {
        slots[STATUSES[slot] as usize - CODE_MIN] = slot as u8;
        slot += 1;
    }
    slots
};

/// The slot of a status code; below [`STATUS_SLOTS`] for every input.
#[inline]
pub(super) fn status_slot(status: u16) -> usize {
    let index = usize::from(status).wrapping_sub(CODE_MIN);
    let slot = SLOTS.get(index).map_or(STATUSES.len(), |slot| (*slot).into());
    // Never lowers anything; it lets the compiler drop the bounds check of the caller's table.
    slot.min(STATUS_SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_code_has_its_own_slot() {
        for (slot, status) in STATUSES.iter().enumerate() {
            assert_eq!(status_slot(*status), slot);
        }
    }

    #[test]
    fn any_other_code_shares_the_last_slot() {
        for status in (0..=u16::MAX).filter(|status| !STATUSES.contains(status)) {
            assert_eq!(status_slot(status), STATUS_SLOTS - 1);
        }
    }
}
