//! The law of the framer, for any bytes, any cuts and any limit: each poll that answers consumes or closes, and what is
//! held is bounded by the limit.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sip::message::stream::Framer;

/// Parts of which good, broken and endless messages come about.
const PARTS: [&str; 13] = [
    "OPTIONS sip:a@b SIP/2.0\r\n",
    "SIP/2.0 200 OK\r\n",
    "Call-ID: 1\r\n",
    "Content-Length: 4\r\n",
    "l: 90\r\n",
    "l: 18446744073709551615\r\n",
    "l: -1\r\n",
    "Subject: a\r\n l: 5\r\n",
    "no colon\r\n",
    "\r\n",
    "\r",
    "body",
    "Subject: a long one that goes on and on and on and on",
];

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => select(PARTS.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

/// A stream cut into pieces.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (vec(part(), 0..40), vec(any::<Index>(), 0..12)).prop_map(|(parts, cuts)| {
        let stream = parts.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let between = cuts.windows(2);
        between.map(|cut| stream[cut[0]..cut[1]].to_vec()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn polls_are_bounded_by_the_bytes_and_memory_by_the_limit(
        pieces in pieces(),
        limit in 0_usize..300,
    ) {
        let mut framer = Framer::new(limit);
        let (mut came, mut answers) = (0, 0);
        for piece in &pieces {
            framer.push(piece);
            came += piece.len();
            while let Some(answer) = framer.poll() {
                answers += 1;
                prop_assert!(answers <= came, "{answers} answers to {came} bytes");
                if let Ok(message) = answer {
                    prop_assert!(message.wire().len() <= limit);
                }
            }
            prop_assert!(framer.held() <= limit, "{} held of {limit}", framer.held());
        }
    }

    #[test]
    fn cuts_change_nothing(pieces in pieces(), limit in 1_usize..300) {
        let answers = |pieces: &[Vec<u8>]| {
            let mut framer = Framer::new(limit);
            let mut seen = Vec::new();
            for piece in pieces {
                framer.push(piece);
                seen.extend(std::iter::from_fn(|| framer.poll()));
            }
            (seen, framer.is_closed(), framer.is_mid_message())
        };
        let bytes = pieces.concat().into_iter().map(|byte| vec![byte]).collect::<Vec<_>>();
        prop_assert_eq!(answers(&pieces), answers(&bytes));
    }
}
