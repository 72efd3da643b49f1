//! Parser and body decoder on mutants, without sockets: however the bytes come, the same is read from them, and nothing
//! that the reference does not read as well.

use crate::{
    corpus::{Case, cases},
    mutants::{mutant, short_cases, stock},
    reference::{self, Read},
    requests::{check, read},
    support::mutation::{Random, Replay, first_seed, rounds},
};

/// Half a minute without optimisation.
const ROUNDS: u64 = 200_000;

#[test]
fn each_case_reads_the_same_however_it_is_cut() {
    let mut taken = 0;
    for Case { bytes, .. } in short_cases() {
        for cut in 0..=bytes.len() {
            check(&bytes, &[cut]);
        }
        check(&bytes, &(0..bytes.len()).collect::<Vec<_>>());
        taken += read(&bytes, &[]).0.len();
    }
    assert!(taken > 100, "only {taken} requests are valid");
}

#[test]
fn reference_is_as_strict_as_the_corpus() {
    // These alone the server refuses beyond the grammar.
    let stricter = |case: &Case| {
        let beyond = ["a space in front of an extension", "17 digits", "a port of 17 bits"];
        let sections = ["RFC 9110 5.3", "RFC 9110 6.5.1"];
        case.group == "bounds" || sections.contains(&case.section) || beyond.contains(&case.what)
    };
    let (mut agreed, mut taken) = (0, Vec::new());
    for case in cases() {
        let [answer] = case.outcome.answers else { continue };
        if answer.code != "request_malformed" && answer.code != "body_malformed" {
            continue;
        }
        let is_whole = match reference::head(&case.bytes) {
            Read::Whole(request) => {
                matches!(reference::body(request.framing, &case.bytes[request.length..]), Read::Whole(_))
            }
            _ => false,
        };
        agreed += usize::from(!is_whole);
        if is_whole && !stricter(&case) {
            taken.push((case.section, case.what));
        }
    }
    assert!(taken.is_empty(), "the reference takes {taken:#?}");
    assert!(agreed > 250, "only {agreed} cases are refused");
}

#[test]
fn mutants_read_the_same_however_they_are_cut() {
    let stock = stock();
    let first = first_seed();
    let mut taken = 0;
    let rounds = rounds(ROUNDS);
    for round in 0..rounds {
        let seed = first.wrapping_add(round);
        let _replay = Replay(seed);
        let mut random = Random::new(seed);
        let bytes = mutant(&stock, &mut random);
        let mut cuts: Vec<usize> = (0..=random.below(4)).map(|_| random.below(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        check(&bytes, &cuts);
        taken += usize::from(!read(&bytes, &[]).0.is_empty());
    }
    eprintln!("{taken} of {rounds} mutants begin with a valid request");
    assert!(rounds < 1_000 || taken as u64 > rounds / 10, "mutants have little to do with requests: {taken}");
}
