//! Capture files as other programs write them, and as nobody should.

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, PacketBuilder};
use evidence::capture::{Base, CaptureError, Messages, read};
use proptest::collection::vec;
use proptest::prelude::*;

const TEXT: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n";
const BASE: Base = Base {
    ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)),
    port: None,
};

/// An IP packet from the base to its server.
pub(crate) fn datagram(text: &[u8]) -> Vec<u8> {
    between([10, 0, 0, 2], [10, 0, 0, 1], text)
}

/// An IP packet with SIP.
pub(crate) fn between(source: [u8; 4], destination: [u8; 4], text: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(source, destination, 64)
        .udp(5060, 5060)
        .write(&mut packet, text)
        .unwrap();
    packet
}

/// A pcap file of this link type, one packet at each time in microseconds.
pub(crate) fn pcap(link: u32, packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x4_0000, link] {
        file.extend(word.to_le_bytes());
    }
    for (at, packet) in packets {
        let length = packet.len() as u64;
        for word in [
            1_700_000_000 + at / 1_000_000,
            at % 1_000_000,
            length,
            length,
        ] {
            file.extend(u32::try_from(word).unwrap().to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn words(order: fn(u32) -> [u8; 4], words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| order(*word)).collect()
}

/// A block of a pcapng file.
fn block(order: fn(u32) -> [u8; 4], kind: u32, body: &[u8]) -> Vec<u8> {
    let room = body.len().next_multiple_of(4);
    let total = u32::try_from(room + 12).unwrap();
    let mut block = words(order, &[kind, total]);
    block.extend(body);
    block.resize(8 + room, 0);
    block.extend(order(total));
    block
}

fn messages(file: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    let heard = Messages::new(file).unwrap().map(Result::unwrap);
    heard
        .map(|heard| (heard.packet, heard.wall, heard.bytes.to_vec()))
        .collect()
}

#[test]
fn every_usual_link_type_is_taken_off() {
    let ip = datagram(TEXT);
    let ethernet = [&[2; 12][..], &[8, 0], &ip].concat();
    let vlan = [&[2; 12][..], &[0x81, 0, 0, 7, 8, 0], &ip].concat();
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0][..], &ip].concat();
    let cooked_2 = [&[8, 0][..], &[0; 18], &ip].concat();
    let loopback = [&[2, 0, 0, 0][..], &ip].concat();
    for (link, packet) in [
        (0, loopback.clone()),
        (1, ethernet),
        (1, vlan),
        (12, ip.clone()),
        (101, ip.clone()),
        (108, loopback),
        (113, cooked),
        (228, ip),
        (276, cooked_2),
    ] {
        let found = messages(&pcap(link, &[(250, packet)]));
        let expected = (1, 1_700_000_000_000_250, TEXT.to_vec());
        assert_eq!(found, [expected], "link type {link}");
    }
}

#[test]
fn another_link_type_is_refused_with_its_number() {
    let refused = read(&pcap(147, &[(0, datagram(TEXT))]), BASE).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "packets of link type 147 cannot be read"
    );
}

#[test]
fn numbers_and_times_are_read_in_both_byte_orders() {
    let ip = datagram(TEXT);
    let length = u32::try_from(ip.len()).unwrap();
    for order in [u32::to_be_bytes as fn(u32) -> [u8; 4], u32::to_le_bytes] {
        for (magic, fraction) in [(0xa1b2_c3d4, 7), (0xa1b2_3c4d, 7_000)] {
            let mut file = words(order, &[magic, 0, 0, 0, 65_535, 101]);
            file.extend(words(order, &[1, fraction, length, length]));
            file.extend(&ip);
            assert_eq!(messages(&file), [(1, 1_000_007, TEXT.to_vec())]);
        }
        let half = |number: u16| {
            let word = order(u32::from(number));
            if word[0] == 0 && number != 0 {
                [word[2], word[3]]
            } else {
                [word[0], word[1]]
            }
        };
        let section = block(
            order,
            0x0a0d_0d0a,
            &words(order, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]),
        );
        // Milliseconds (if_tsresol 3), and an hour later than they say (if_tsoffset).
        let mut interface = [&half(101)[..], &[0, 0], &order(0)].concat();
        interface.extend([&half(9)[..], &half(1), &[3, 0, 0, 0]].concat());
        let offset = if order(1)[0] == 1 {
            3_600_i64.to_le_bytes()
        } else {
            3_600_i64.to_be_bytes()
        };
        interface.extend([&half(14)[..], &half(8), &offset].concat());
        let packet = [words(order, &[0, 0, 2_500, length, length]), ip.clone()].concat();
        let simple = [words(order, &[length]), ip.clone()].concat();
        let file = [
            section,
            block(order, 1, &interface),
            block(order, 5, &[0; 20]),
            block(order, 6, &packet),
            block(order, 3, &simple),
        ];
        let at = 3_602_500_000;
        let expected = [(1, at, TEXT.to_vec()), (2, at, TEXT.to_vec())];
        assert_eq!(messages(&file.concat()), expected);
    }
}

#[test]
fn what_a_small_snapshot_length_cut_off_is_no_damage() {
    let mut file = pcap(101, &[(0, datagram(TEXT))]);
    let whole = file.clone();
    // The snapshot length, and the length that the packet had.
    file[16..20].copy_from_slice(&40_u32.to_le_bytes());
    file[36..40].copy_from_slice(&9_000_u32.to_le_bytes());
    file.extend(&whole[24..]);
    assert_eq!(messages(&file).len(), 2);
}

#[test]
fn a_length_that_no_packet_has_is_refused() {
    let mut file = pcap(101, &[(0, datagram(TEXT))]);
    file.extend(words(u32::to_le_bytes, &[0, 0, u32::MAX, u32::MAX]));
    let refused = read(&file, BASE).unwrap_err();
    let claims = matches!(
        refused,
        CaptureError::TooLong {
            packet: 2,
            claimed: u32::MAX
        }
    );
    assert!(claims, "{refused}");

    let section = block(
        u32::to_le_bytes,
        0x0a0d_0d0a,
        &words(u32::to_le_bytes, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]),
    );
    let huge = words(u32::to_le_bytes, &[6, 0xffff_fffc, 0]);
    let refused = read(&[section.clone(), huge].concat(), BASE).unwrap_err();
    assert!(matches!(refused, CaptureError::TooLong { .. }), "{refused}");
    // A block that holds no packet is passed over, and the file was cut short in it.
    let secrets = words(u32::to_le_bytes, &[10, 0xffff_fffc, 0]);
    let file = [section, secrets].concat();
    let mut messages = Messages::new(file.as_slice()).unwrap();
    assert!(messages.next().is_none() && messages.is_cut_short());
}

#[test]
fn a_file_that_ends_in_a_packet_was_cut_short_and_one_that_ends_behind_it_was_not() {
    let file = pcap(101, &[(0, datagram(TEXT)), (1, datagram(TEXT))]);
    for (length, cut_short) in [(file.len(), false), (file.len() - 1, true)] {
        let mut messages = Messages::new(&file[..length]).unwrap();
        let count = messages.by_ref().map(Result::unwrap).count();
        assert_eq!(count, if cut_short { 1 } else { 2 });
        assert_eq!(messages.is_cut_short(), cut_short);
    }
}

/// A fragment of a datagram to the base.
fn fragment(identification: u16, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let header = Ipv4Header {
        identification,
        more_fragments: more,
        fragment_offset: IpFragOffset::try_new(offset / 8).unwrap(),
        ..Ipv4Header::new(
            u16::try_from(payload.len()).unwrap(),
            64,
            IpNumber::UDP,
            [10, 0, 0, 1],
            [10, 0, 0, 2],
        )
        .unwrap()
    };
    let mut packet = Vec::new();
    header.write(&mut packet).unwrap();
    packet.extend(payload);
    packet
}

#[test]
fn fragments_that_contradict_each_other_are_given_up_and_counted() {
    let packets = [
        fragment(1, 0, true, &[b'x'; 800]),
        fragment(1, 400, false, &[b'y'; 800]),
        fragment(1, 400, false, &[b'z'; 160]),
        fragment(2, 0, true, &[b'x'; 64]),
        fragment(2, 64, false, &[b'x'; 64]),
        fragment(2, 64, false, &[b'x'; 8]),
        datagram(TEXT),
    ];
    let packets: Vec<_> = packets.into_iter().map(|packet| (0, packet)).collect();
    let file = pcap(101, &packets);
    let mut messages = Messages::new(file.as_slice()).unwrap();
    assert_eq!(messages.by_ref().map(Result::unwrap).count(), 1);
}

#[test]
fn more_datagrams_than_are_kept_open_push_the_oldest_out() {
    let first = fragment(0, 0, true, &[b'x'; 64]);
    let others = (1..=5_000).map(|number| fragment(number, 65_000, true, &[b'x'; 64]));
    let packets: Vec<_> = std::iter::once(first)
        .chain(others)
        .map(|packet| (0, packet))
        .collect();
    let file = pcap(101, &packets);
    let mut messages = Messages::new(file.as_slice()).unwrap();
    assert!(messages.next().is_none());
    assert_eq!(messages.forgotten().fragments, 5_001 - 256);
}

/// Reads all that there is; what comes is of no interest.
fn exhaust(file: &[u8]) {
    if let Ok(messages) = Messages::new(file) {
        let bytes: usize = messages.flatten().map(|heard| heard.bytes.len()).sum();
        assert!(bytes <= file.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(
        magic in prop::sample::select(vec![
            vec![0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a],
            vec![0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d],
            vec![0xd4, 0xc3, 0xb2, 0xa1],
            vec![0xa1, 0xb2, 0x3c, 0x4d],
            vec![],
        ]),
        bytes in vec(any::<u8>(), 0..400),
    ) {
        exhaust(&[magic, bytes].concat());
    }

    #[test]
    fn no_damage_to_a_capture_makes_the_reader_panic(
        link in prop::sample::select(vec![0_u32, 1, 101, 113, 276]),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let packets = [
            datagram(TEXT),
            fragment(1, 0, true, &[b'x'; 80]),
            fragment(1, 80, false, &[b'x'; 8]),
            datagram(&[b'y'; 30]),
        ];
        let packets: Vec<_> = packets.into_iter().map(|packet| (7, packet)).collect();
        let mut file = pcap(link, &packets);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file.truncate(cut.index(file.len() + 1));
        exhaust(&file);
    }
}
