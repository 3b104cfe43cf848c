//! Captures out and in.

use crate::stage::{Stage, dnd};
use etherparse::PacketBuilder;
use evidence::capture::{Base, CaptureError, Forgotten, Records, read, to_pcapng};
use evidence::record::{Observation, Sip};
use std::io::{self, Read};
use std::process::Command;

const BASE: Base = Base {
    ip: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    port: Some(5060),
};

fn sip(stage: &Stage) -> Vec<(u64, Sip)> {
    let only = |record: &std::sync::Arc<evidence::record::Record>| match &record.observation {
        Observation::Sip(sip) => Some((record.at, sip.clone())),
        _ => None,
    };
    stage.log.records().iter().filter_map(only).collect()
}

fn stage(transport: &'static str) -> Stage {
    let mut stage = Stage::provisioned();
    stage.transport = transport;
    stage.register("1001", 3600);
    stage.subscribe_and_state("1001", 1800, &[dnd(true)]);
    stage
}

#[test]
fn what_is_written_is_read_back() {
    for transport in ["UDP", "TCP"] {
        let stage = stage(transport);
        let capture = to_pcapng(stage.log.records()).unwrap();
        let again = read(&capture, BASE).unwrap();
        let expected = sip(&stage);
        let first = expected[0].0;
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(at, sip)| (at - first, sip))
            .collect();
        let found: Vec<_> = again
            .records()
            .iter()
            .map(|record| match &record.observation {
                Observation::Sip(sip) => (record.at, sip.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, expected, "{transport}");
    }
}

#[test]
fn a_capture_that_was_cut_short_is_read_as_far_as_it_goes() {
    let stage = stage("UDP");
    let capture = to_pcapng(stage.log.records()).unwrap();
    let whole = read(&capture, BASE).unwrap().records().len();
    let short = read(&capture[..capture.len() - 10], BASE)
        .unwrap()
        .records()
        .len();
    assert_eq!(short, whole - 1);
}

#[test]
fn other_files_are_refused() {
    assert!(matches!(read(b"", BASE), Err(CaptureError::NotACapture)));
    assert!(matches!(
        read(b"GIF89a..", BASE),
        Err(CaptureError::NotACapture)
    ));
}

/// A classic pcap file with these Ethernet frames.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, frame) in frames.iter().enumerate() {
        let length = u32::try_from(frame.len()).unwrap();
        for word in [
            1_700_000_000,
            u32::try_from(number).unwrap() * 250,
            length,
            length,
        ] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

#[test]
fn a_pcap_of_ethernet_frames_with_fragments_is_read() {
    let text = format!(
        "NOTIFY sip:a SIP/2.0\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(2000)
    );
    let mut datagram = Vec::new();
    PacketBuilder::ipv4([127, 0, 0, 2], [127, 0, 0, 1], 64)
        .udp(5060, 5060)
        .write(&mut datagram, text.as_bytes())
        .unwrap();
    let payload = &datagram[20..];
    let mut frames = Vec::new();
    for (offset, piece) in payload.chunks(1000).enumerate() {
        let header = etherparse::Ipv4Header {
            identification: 7,
            more_fragments: (offset + 1) * 1000 < payload.len(),
            fragment_offset: etherparse::IpFragOffset::try_new(
                u16::try_from(offset * 125).unwrap(),
            )
            .unwrap(),
            ..etherparse::Ipv4Header::new(
                u16::try_from(piece.len()).unwrap(),
                64,
                etherparse::IpNumber::UDP,
                [127, 0, 0, 2],
                [127, 0, 0, 1],
            )
            .unwrap()
        };
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        header.write(&mut frame).unwrap();
        frame.extend(piece);
        frames.push(frame);
    }
    assert!(frames.len() > 2);
    let log = read(&pcap(&frames), BASE).unwrap();
    let [record] = log.records() else {
        panic!("{} records", log.records().len())
    };
    assert_eq!(record.at, 500);
    assert_eq!(record.wall, Some(1_700_000_000_000_500));
    let Observation::Sip(sip) = &record.observation else {
        panic!("no SIP")
    };
    assert_eq!(sip.bytes, text.as_bytes());
}

#[test]
fn tshark_reads_what_is_written() {
    if Command::new("tshark").arg("-v").output().is_err() {
        println!("skipped: tshark is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for transport in ["UDP", "TCP"] {
        let mut stage = stage(transport);
        let seq = stage.notify("1001", &dnd(true));
        stage.record(Observation::Finding {
            requirement: "NOT-02".to_owned(),
            text: "was not answered".to_owned(),
            records: vec![seq],
        });
        let path = folder.path().join(format!("{transport}.pcapng"));
        std::fs::write(&path, to_pcapng(stage.log.records()).unwrap()).unwrap();
        let output = Command::new("tshark")
            .args(["-r", path.to_str().unwrap(), "-Y", "sip", "-T", "fields"])
            .args([
                "-e",
                "frame.time_epoch",
                "-e",
                "sip.CSeq.method",
                "-e",
                "sip.Status-Code",
            ])
            .args(["-e", "ip.src", "-e", "frame.comment", "-e", "_ws.malformed"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        assert_eq!(rows.len(), sip(&stage).len(), "{transport}: {text}");
        for (row, (at, message)) in rows.iter().zip(sip(&stage)) {
            let seconds: f64 = row[0].parse().unwrap();
            assert!((seconds * 1e6 - at as f64).abs() < 1.0, "{row:?} at {at}");
            assert_eq!(row[3], message.source.ip().to_string());
            assert_eq!(row[5], "", "{row:?}");
        }
        assert_eq!(rows[0][1], "REGISTER");
        assert_eq!(rows[1][2], "200");
        assert_eq!(rows.last().unwrap()[4], "NOT-02: was not answered");
    }
}

/// A pcap file of raw IP packets that is written while it is read, one packet for each second.
struct Live<F> {
    packet: F,
    count: u32,
    end: u32,
    ready: Vec<u8>,
}

impl<F: FnMut(u32) -> Vec<u8>> Live<F> {
    fn new(end: u32, packet: F) -> Self {
        let mut ready = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 101] {
            ready.extend(word.to_le_bytes());
        }
        Self {
            packet,
            count: 0,
            end,
            ready,
        }
    }
}

impl<F: FnMut(u32) -> Vec<u8>> Read for Live<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            if self.count == self.end {
                return Err(io::Error::other("the cable was pulled"));
            }
            let packet = (self.packet)(self.count);
            let length = u32::try_from(packet.len()).unwrap();
            for word in [1_700_000_000 + self.count, 0, length, length] {
                self.ready.extend(word.to_le_bytes());
            }
            self.ready.extend(packet);
            self.count += 1;
        }
        let length = self.ready.len().min(into.len());
        into[..length].copy_from_slice(&self.ready[..length]);
        self.ready.drain(..length);
        Ok(length)
    }
}

/// A segment of a stream that nobody goes on with, from one of many ports.
fn segment(number: u32) -> Vec<u8> {
    let port = u16::try_from(1024 + number % 60_000).unwrap();
    let mut packet = Vec::new();
    PacketBuilder::ipv4([127, 0, 0, 2], [127, 0, 0, 1], 64)
        .tcp(port, 5060, 1, 1024)
        .write(&mut packet, b"OPTIONS sip:a SIP/2.0\r\nVia: ")
        .unwrap();
    packet
}

/// The first fragment of a datagram that nobody goes on with.
fn fragment(number: u32) -> Vec<u8> {
    let payload = [b'x'; 64];
    let header = etherparse::Ipv4Header {
        identification: u16::try_from(number % 60_000).unwrap(),
        more_fragments: true,
        ..etherparse::Ipv4Header::new(
            64,
            64,
            etherparse::IpNumber::UDP,
            [127, 0, 0, 2],
            [127, 0, 0, 1],
        )
        .unwrap()
    };
    let mut packet = Vec::new();
    header.write(&mut packet).unwrap();
    packet.extend(payload);
    packet
}

/// A whole request to the base.
fn datagram() -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4([127, 0, 0, 2], [127, 0, 0, 1], 64)
        .udp(5060, 5060)
        .write(&mut packet, b"OPTIONS sip:a SIP/2.0\r\n\r\n")
        .unwrap();
    packet
}

#[test]
fn streams_and_fragments_that_nobody_finishes_are_forgotten_and_counted() {
    let packets = Live::new(9_000, |number| match number % 3 {
        0 => segment(number),
        1 => fragment(number),
        _ => datagram(),
    });
    let mut records = Records::new(packets, BASE).unwrap();
    let (mut messages, mut most) = (0, 0);
    while let Some(Ok(_)) = records.next() {
        messages += 1;
        most = most.max(records.streams());
    }
    assert_eq!(messages, 3_000);
    // 300 seconds of idleness, and ten between two looks, with a stream every three seconds.
    assert!((100..=104).contains(&most), "{most} streams");
    let Forgotten {
        streams,
        fragments,
        unread,
    } = records.forgotten();
    assert_eq!(unread, 0);
    assert!((2_895..=2_900).contains(&streams), "{streams} streams");
    assert!(
        (2_985..=2_990).contains(&fragments),
        "{fragments} fragments"
    );
}

#[test]
fn records_come_while_the_capture_goes_on() {
    let live = Live::new(100, |number| {
        assert!(number < 50, "read ahead to packet {number}");
        datagram()
    });
    let mut records = Records::new(live, BASE).unwrap();
    for number in 0..40 {
        let record = records.next().unwrap().unwrap();
        assert_eq!(record.seq, number + 1);
        assert_eq!(record.at, number * 1_000_000);
    }
}

#[test]
fn a_capture_that_cannot_be_read_on_says_so_once() {
    let mut records = Records::new(Live::new(3, |_| datagram()), BASE).unwrap();
    assert_eq!(records.by_ref().take(3).filter(Result::is_ok).count(), 3);
    assert!(matches!(records.next(), Some(Err(CaptureError::Read(_)))));
    assert!(records.next().is_none());
}

#[test]
fn packets_that_cannot_be_taken_apart_are_counted() {
    let packets = Live::new(9, |number| {
        let mut packet = datagram();
        // The capture has kept the beginning of each third packet only.
        packet.truncate(if number % 3 == 0 { 12 } else { packet.len() });
        packet
    });
    let mut records = Records::new(packets, BASE).unwrap();
    assert_eq!(records.by_ref().take_while(Result::is_ok).count(), 6);
    assert_eq!(records.forgotten().unread, 3);
}
