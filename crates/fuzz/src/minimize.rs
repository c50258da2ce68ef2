//! Makes an input as short and as plain as it can be while it shows the same fault.

/// How often the fault may be tried.
const MAX_TRIES: usize = 4_000;

/// A shorter input for which `is_same` holds.
pub(crate) fn minimize(input: &[u8], is_same: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut tries = MAX_TRIES;
    let mut shows = |input: &[u8]| {
        tries = tries.saturating_sub(1);
        tries > 0 && is_same(input)
    };
    let mut shortest = input.to_vec();
    let mut length = shortest.len().div_ceil(2).max(1);
    loop {
        let before = shortest.len();
        remove_pieces(&mut shortest, length, &mut shows);
        if length == 1 && shortest.len() == before {
            break;
        }
        length = (length / 2).max(1);
    }
    for at in 0..shortest.len() {
        let mut plainer = shortest.clone();
        plainer[at] = b' ';
        if shortest[at] != b' ' && shows(&plainer) {
            shortest = plainer;
        }
    }
    shortest
}

fn remove_pieces(input: &mut Vec<u8>, length: usize, shows: &mut impl FnMut(&[u8]) -> bool) {
    let mut at = 0;
    while at < input.len() {
        let mut shorter = input.clone();
        shorter.drain(at..(at + length).min(input.len()));
        if shows(&shorter) {
            *input = shorter;
        } else {
            at += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::minimize;

    #[test]
    fn only_what_matters_is_left() {
        let input = [&b"x".repeat(500)[..], b"ab", &b"y".repeat(300)[..], b"c"].concat();
        let is_same = |input: &[u8]| input.windows(2).any(|pair| pair == b"ab") && input.contains(&b'c');
        assert_eq!(minimize(&input, is_same), b"abc");
    }
}
