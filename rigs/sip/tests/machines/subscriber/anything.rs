//! Whatever a server, a network and an owner do, some things hold.

use super::{ACTIVE, EVENT, Notify, Table};
use crate::messages::seconds;
use sip::endpoint::Failure;
use sip::subscription::{Purpose, Subscriber, SubscriberIndication, SubscriberPolicy};

const CODES: &[u16] = &[
    100, 200, 202, 400, 401, 403, 404, 408, 423, 480, 481, 489, 500, 503, 603,
];
const STATES: &[&str] = &[
    "active;expires=1800",
    "active;expires=5",
    "active;expires=0",
    "active",
    "active, 3599",
    "pending;expires=60",
    "",
    "terminated",
    "terminated;reason=deactivated",
    "terminated;reason=timeout;retry-after=3",
    "terminated;reason=probation;retry-after=100",
    "terminated;reason=noresource",
];
const HEADERS: &[&[(&str, &str)]] = &[
    &[],
    &[("Expires", "0")],
    &[("Expires", "4")],
    &[("Expires", "99999999")],
    &[("Min-Expires", "7200"), ("Retry-After", "9")],
    &[("Expires", "x"), ("Min-Expires", "x"), ("Retry-After", "x")],
];

fn any<T: Copy>(rng: &mut fastrand::Rng, list: &[T]) -> T {
    *rng.choice(list).unwrap()
}

fn disturb(table: &mut Table, rng: &mut fastrand::Rng) {
    let outstanding = table.subscriber.outstanding().is_some();
    match rng.u32(0..12) {
        0 => table.act(Subscriber::subscribe),
        1 if rng.u32(0..8) == 0 => table.act(Subscriber::unsubscribe),
        2 => table.change("x"),
        3 => table.act(Subscriber::refresh),
        4 if outstanding => table.act(Subscriber::repeat),
        5 if outstanding => table.act(|subscriber, now| {
            subscriber.handle_failure(now, Failure::Timeout('F'));
        }),
        6 | 7 if !table.sent.is_empty() => {
            let (code, headers) = (any(rng, CODES), any(rng, HEADERS));
            table.answer(code, headers);
        }
        8 | 9 if !table.sent.is_empty() => {
            let state = any(rng, STATES);
            let cseq = (rng.u32(0..5) == 0).then_some(1);
            let odd = Notify {
                state,
                cseq,
                ..ACTIVE
            };
            table.notify(&odd);
        }
        _ => {
            let now = table.now.as_micros() / 1_000_000;
            table.until(now + rng.u64(1..60));
        }
    }
}

#[test]
fn one_request_at_a_time_with_rising_numbers_and_attempts_that_keep_their_distance() {
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut table = Table::new(SubscriberPolicy::new(EVENT));
        for _ in 0..300 {
            let open = table.subscriber.outstanding().cloned();
            let before = table.sent.len();
            disturb(&mut table, &mut rng);
            let new = &table.sent[before..];
            let ended = table.subscriber.outstanding() != open.as_ref();
            assert!(new.is_empty() || ended, "seed {seed}: two outstanding");
            assert!(new.len() <= 2, "seed {seed}: a burst of {new:?}");
        }
        for pair in table.sent.windows(2) {
            let same = pair[0].call_id == pair[1].call_id;
            assert!(
                !same || pair[1].cseq == pair[0].cseq + 1,
                "seed {seed}: {pair:?}"
            );
            assert_eq!(
                same,
                pair[1].purpose != Purpose::Initial || pair[1].cseq > 1,
                "seed {seed}"
            );
        }
    }
}

#[test]
fn left_to_itself_after_anything_it_rests_or_knows_when_it_acts_next() {
    for seed in 0..400 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut table = Table::new(SubscriberPolicy::new(EVENT));
        for _ in 0..100 {
            disturb(&mut table, &mut rng);
        }
        table.act(Subscriber::handle_timeout);
        let open = table.subscriber.outstanding().is_some();
        let idle = table.subscriber.is_idle();
        assert_eq!(table.deadline.is_none(), open || idle, "seed {seed}");
        assert!(table.deadline.is_none_or(|at| at > table.now));
    }
}

#[test]
fn a_server_that_always_refuses_is_asked_at_most_once_per_floor() {
    for code in CODES.iter().copied().filter(|code| *code >= 300) {
        for headers in HEADERS {
            let mut table = Table::new(SubscriberPolicy::new(EVENT));
            table.act(Subscriber::subscribe);
            let mut times = vec![table.now];
            for _ in 0..20 {
                table.answer(code, headers);
                if table.subscriber.outstanding().is_some() {
                    continue;
                }
                let Some(deadline) = table.deadline else {
                    break;
                };
                table.until(deadline.as_micros() / 1_000_000 + 1);
                times.push(table.now);
            }
            for pair in times.windows(2) {
                assert!(pair[1].since(pair[0]) >= seconds(30), "{code} {headers:?}");
            }
            let refused =
                |told: &SubscriberIndication| matches!(told, SubscriberIndication::Refused { .. });
            assert!(table.told.iter().any(refused), "{code}");
        }
    }
}
