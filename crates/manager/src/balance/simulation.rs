//! Equals in virtual time: what the order does for prompt caches, for the balance, and for one that comes back.
//!
//! `cargo test -p manager --lib balance::simulation -- --nocapture` prints the tables of `docs/guarantees/equals.md`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::{Member, mix, order};

/// A provider keeps a prompt this long after its last use: Anthropic's default, and the least of OpenAI's.
const CACHE_TTL_MS: u64 = 5 * 60 * 1000;
const MINUTE: u64 = 60_000;
/// The length of a conversation. Its first turn finds no cache anywhere, so nine in ten is the most there is.
const TURNS: u64 = 10;

/// How a member is chosen.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    /// This file's parent.
    Balanced,
    /// What has least in flight.
    LeastInFlight,
    /// Any.
    Random,
}

struct Workload {
    members: usize,
    instances: usize,
    /// Calls a second, over all instances.
    rate: u64,
    /// Conversations at the same time; 0: calls of no conversation.
    conversations: u64,
    /// One of them has this share of the calls, in percent.
    busiest_percent: u64,
    /// When the first member is away.
    away: Option<(u64, u64)>,
    length: u64,
}

#[derive(Default)]
struct Outcome {
    calls: u64,
    hits: u64,
    /// Calls of each member, outside the time in which one is away.
    by_member: Vec<u64>,
    most_in_flight: Vec<u64>,
    /// Of the first member, calls in each second after its return.
    after_return: Vec<u64>,
}

impl Outcome {
    fn hit_percent(&self) -> u64 {
        100 * self.hits / self.calls
    }

    /// The busiest member's calls, in percent of an even share.
    fn most_percent(&self) -> u64 {
        let total: u64 = self.by_member.iter().sum();
        100 * self.by_member.iter().max().unwrap() * self.by_member.len() as u64 / total
    }
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
fn simulate(rule: Choice, workload: &Workload) -> Outcome {
    let mut numbers = Numbers(1);
    let mut outcome = Outcome {
        by_member: vec![0; workload.members],
        most_in_flight: vec![0; workload.members],
        ..Outcome::default()
    };
    let mut in_flight = vec![vec![0_u64; workload.members]; workload.instances];
    let mut ends: BinaryHeap<Reverse<(u64, usize, usize)>> = BinaryHeap::new();
    let mut cached: HashMap<(usize, u64), u64> = HashMap::new();
    // How many turns each conversation has had; then another begins in its place.
    let mut turns = vec![0_u64; workload.conversations as usize];
    let hashes: Vec<u64> = (0..workload.members).map(|member| mix(member as u64 + 1)).collect();
    let mut now = 0;
    while now < workload.length {
        // Twice the mean at most: irregular, without logarithms.
        now += numbers.below(2 * 1000 / workload.rate + 1);
        while let Some(Reverse((end, instance, member))) = ends.peek().copied()
            && end <= now
        {
            ends.pop();
            in_flight[instance][member] -= 1;
        }
        let away = workload.away.is_some_and(|(from, to)| (from..to).contains(&now));
        let instance = numbers.below(workload.instances as u64) as usize;
        let conversation = (workload.conversations > 0).then(|| {
            let is_busiest = numbers.below(100) < workload.busiest_percent;
            let place = if is_busiest { 0 } else { numbers.below(workload.conversations) };
            turns[place as usize] += 1;
            let number = if is_busiest { 0 } else { turns[place as usize] / TURNS };
            number * workload.conversations + place
        });
        let members: Vec<_> = (0..workload.members)
            .map(|member| Member {
                hash: hashes[member],
                in_flight: in_flight[instance][member],
                is_refused: away && member == 0,
            })
            .collect();
        let random = numbers.next();
        let ranked = match rule {
            Choice::Balanced => order(&members, conversation.map(mix), random),
            Choice::Random => order(
                &members.iter().map(|member| Member { in_flight: 0, ..*member }).collect::<Vec<_>>(),
                None,
                random,
            ),
            Choice::LeastInFlight => {
                let mut ranked: Vec<_> = (0..workload.members).collect();
                ranked.sort_by_key(|&member| (members[member].in_flight, mix(random ^ member as u64)));
                ranked
            }
        };
        let member = *ranked.iter().find(|&&member| !members[member].is_refused).unwrap();
        // A call takes 2 to 10 s.
        ends.push(Reverse((now + 2_000 + numbers.below(8_000), instance, member)));
        in_flight[instance][member] += 1;
        let total: u64 = in_flight.iter().map(|members| members[member]).sum();
        outcome.most_in_flight[member] = outcome.most_in_flight[member].max(total);
        outcome.calls += 1;
        if let Some(conversation) = conversation {
            let last = cached.insert((member, conversation), now);
            outcome.hits += u64::from(last.is_some_and(|last| now - last <= CACHE_TTL_MS));
        }
        match workload.away {
            Some((from, to)) if now >= from => {
                let second = now.saturating_sub(to) / 1000;
                if now >= to && second < 30 {
                    outcome.after_return.resize(30, 0);
                    outcome.after_return[second as usize] += u64::from(member == 0);
                }
            }
            _ => outcome.by_member[member] += 1,
        }
    }
    outcome
}

/// Four members, three instances, 20 calls a second, 400 conversations with a turn in 20 s each.
const MANY_TURNS: Workload = Workload {
    members: 4,
    instances: 3,
    rate: 20,
    conversations: 400,
    busiest_percent: 0,
    away: None,
    length: 30 * MINUTE,
};

#[test]
fn conversations_find_their_cache() {
    println!("| | cache hits | busiest member, of an even share |");
    println!("| --- | ---: | ---: |");
    let row = |name: &str, rule, workload: &Workload| {
        let outcome = simulate(rule, workload);
        println!("| {name} | {} % | {} % |", outcome.hit_percent(), outcome.most_percent());
        (outcome.hit_percent(), outcome.most_percent())
    };
    let (hits, most) = row("as built", Choice::Balanced, &MANY_TURNS);
    let (least, _) = row("least in flight alone", Choice::LeastInFlight, &MANY_TURNS);
    let (random, _) = row("at random", Choice::Random, &MANY_TURNS);
    assert!(hits >= 86 && most <= 115, "{hits} {most}");
    assert!(hits > least + 20 && hits > random + 20, "{hits} {least} {random}");
    // Conversations with few calls are where it matters: each turn comes minutes after the last.
    let rare = Workload { conversations: 4_000, ..MANY_TURNS };
    let (hits, most) = row("rare turns, as built", Choice::Balanced, &rare);
    let (random, _) = row("rare turns, at random", Choice::Random, &rare);
    assert!(hits >= random + 20 && most <= 115, "{hits} {random} {most}");
    // A conversation with half of all calls is spread, and the others keep theirs.
    let one = Workload { busiest_percent: 50, ..MANY_TURNS };
    let (hits, most) = row("one has half of all calls", Choice::Balanced, &one);
    assert!(hits >= 90 && most <= 170, "{hits} {most}");
}

#[test]
fn one_that_comes_back_gets_its_share_and_no_herd() {
    println!(
        "| calls in the first seconds after the return, in percent of an even share | 1 s | 5 s | 30 s |"
    );
    println!("| --- | ---: | ---: | ---: |");
    let busy = Workload {
        members: 4,
        instances: 3,
        rate: 200,
        conversations: 2_000,
        busiest_percent: 0,
        away: Some((MINUTE, 2 * MINUTE)),
        length: 3 * MINUTE,
    };
    let keyless = Workload { conversations: 0, ..busy };
    let row = |name: &str, rule, workload: &Workload| {
        let after = simulate(rule, workload).after_return;
        let percent = |seconds: u64| {
            let calls: u64 = after.iter().take(usize::try_from(seconds).unwrap()).sum();
            100 * calls * workload.members as u64 / (workload.rate * seconds)
        };
        println!("| {name} | {} % | {} % | {} % |", percent(1), percent(5), percent(30));
        (percent(1), percent(5), percent(30))
    };
    let (first, _, all) = row("conversations", Choice::Balanced, &busy);
    assert!(first <= 150 && (80..=130).contains(&all), "{first} {all}");
    let (first, _, all) = row("calls of no conversation", Choice::Balanced, &keyless);
    assert!(first <= 210 && (80..=130).contains(&all), "{first} {all}");
    let (herd, _, _) = row("least in flight alone", Choice::LeastInFlight, &keyless);
    assert!(herd > 300, "{herd}");
}
