//! All transactions of one node, over any number of flows.
//!
//! The endpoint frames and parses what comes in, matches it to the transaction machines, keeps their deadlines and
//! tells its owner the rest as [`Indication`]s. The only message that it writes by itself is the ACK to a refused
//! INVITE (RFC 3261 §17.1.1.3), and the CANCEL that it was asked for: every response is the owner's, a 400 or a 481
//! too. It knows no dialogs. A stream whose framing is lost is reported as garbage once and then closed; what still comes
//! on it is dropped until its owner says that it has ended.
//!
//! Mutate it, then drain [`Endpoint::poll_output`] until it answers [`Output::Timeout`]. Early or repeated time-outs
//! change nothing.

mod machine;
mod matching;

pub use crate::transaction::Failure;

use crate::message::stream::Framer;
use crate::message::{Message, Method, ParseError};
use crate::node::{Flow, Transmit, TransmitReason};
use crate::time::Instant;
use crate::timer::Timers;
use crate::transaction::{
    Action, ClientInvite, ClientNonInvite, ServerInvite, ServerInviteState, ServerNonInvite,
};
use bytes::Bytes;
use machine::Machine;
use matching::Key;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// Names a transaction of one endpoint; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(u64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {}", self.0)
    }
}

/// What the endpoint tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indication {
    /// A request, once, whatever it is. The owner answers with [`Endpoint::respond`].
    Request {
        /// To be answered.
        transaction: TransactionId,
        /// Where it came from.
        flow: Flow,
        /// The request.
        message: Message,
    },
    /// A provisional or final response to a request of the owner.
    Response {
        /// Which request.
        transaction: TransactionId,
        /// Where it came from.
        flow: Flow,
        /// The response.
        message: Message,
    },
    /// An ACK that closes no refusal: the one to a 2xx.
    Ack {
        /// Where it came from.
        flow: Flow,
        /// The ACK.
        message: Message,
    },
    /// A transaction ended without what it was started for. A cancelled INVITE that is never answered fails with `B`.
    Failed {
        /// Which.
        transaction: TransactionId,
        /// Why.
        cause: Failure,
    },
    /// A response that belongs to no transaction.
    Stray {
        /// Where it came from.
        flow: Flow,
        /// The response.
        message: Message,
    },
    /// Bytes that are no SIP message.
    Garbage {
        /// Where they came from.
        flow: Flow,
        /// The datagram, or the piece of the stream that completed the error.
        bytes: Bytes,
        /// What is wrong with them.
        error: ParseError,
    },
}

/// What the endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Close the connection of this stream: nobody knows where its next message begins.
    CloseFlow(Flow),
    /// Put these bytes on a flow.
    Transmit(Transmit),
    /// Something for the owner.
    Indication(Indication),
    /// Nothing more to do until then, or until the next input.
    Timeout(Option<Instant>),
}

#[derive(Clone, Debug)]
struct Transaction {
    machine: Machine,
    key: Key,
    /// Where its bytes go.
    flow: Flow,
    deadline: Option<Instant>,
    /// Started by the endpoint itself: its responses and failures are not told.
    silent: bool,
    /// Call-ID and CSeq number of an INVITE that was received, by which the ACK to a 2xx is known.
    invite: Option<(String, u32)>,
}

/// All transactions of one node.
#[derive(Clone, Debug)]
pub struct Endpoint {
    timers: Timers,
    rng: fastrand::Rng,
    last_id: u64,
    transactions: BTreeMap<TransactionId, Transaction>,
    by_key: BTreeMap<Key, TransactionId>,
    by_invite: BTreeMap<(String, u32), TransactionId>,
    deadlines: BTreeSet<(Instant, TransactionId)>,
    framers: BTreeMap<Flow, Framer>,
    out: VecDeque<Output>,
}

impl Endpoint {
    /// An endpoint without transactions. Branches, tags and Call-IDs follow from the seed.
    #[must_use]
    pub fn new(timers: Timers, seed: u64) -> Self {
        Self {
            timers,
            rng: fastrand::Rng::with_seed(seed),
            last_id: 0,
            transactions: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            framers: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }

    /// Draws branches, tags and Call-IDs from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = fastrand::Rng::with_seed(seed);
    }

    /// The timers in force.
    #[must_use]
    pub const fn timers(&self) -> &Timers {
        &self.timers
    }

    /// How many transactions are not terminated.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.transactions.len()
    }

    /// A datagram, or a piece of a stream, has come.
    pub fn handle_sip(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if !flow.transport.is_reliable() {
            // RFC 5626 §4.4.1 and common practice: blank datagrams keep a path open.
            if bytes.iter().any(|byte| !b"\r\n \t\0".contains(byte)) {
                let parsed = Message::parse(bytes.clone());
                self.on_parsed(now, flow, &bytes, parsed);
            }
            return;
        }
        let framer = self.framers.entry(flow).or_default();
        framer.push(&bytes);
        while let Some(parsed) = self.framers.get_mut(&flow).and_then(Framer::poll) {
            self.on_parsed(now, flow, &bytes, parsed);
            if self.framers.get(&flow).is_some_and(Framer::is_closed) {
                self.out.push_back(Output::CloseFlow(flow));
            }
        }
    }

    fn on_parsed(
        &mut self,
        now: Instant,
        flow: Flow,
        bytes: &Bytes,
        parsed: Result<Message, ParseError>,
    ) {
        match parsed {
            Ok(message) if message.method().is_none() => self.on_response(now, flow, message),
            Ok(message) if message.header("Via").is_some() => self.on_request(now, flow, message),
            Ok(_) => self.indicate(Indication::Garbage {
                flow,
                bytes: bytes.clone(),
                error: ParseError {
                    clause: "RFC 3261 §8.1.1",
                    text: "a request without Via".to_owned(),
                },
            }),
            Err(error) => self.indicate(Indication::Garbage {
                flow,
                bytes: bytes.clone(),
                error,
            }),
        }
    }

    fn on_response(&mut self, now: Instant, flow: Flow, message: Message) {
        let id = Key::of_response(&message).and_then(|key| self.by_key.get(&key).copied());
        let Some((id, transaction)) = id.and_then(|id| Some((id, self.transactions.get_mut(&id)?)))
        else {
            self.indicate(Indication::Stray { flow, message });
            return;
        };
        let actions = transaction
            .machine
            .handle_response(now, &self.timers, message);
        self.carry_out(id, flow, actions);
        self.send_due_cancel(now, id);
    }

    fn on_request(&mut self, now: Instant, flow: Flow, message: Message) {
        let method = message.method().cloned().unwrap_or(Method::Options);
        let key = Key::of_request(&message, &method);
        let known = self.by_key.get(&key).copied();
        if method == Method::Ack {
            self.on_ack(now, flow, known, message);
            return;
        }
        if let Some(id) = known.filter(|_| self.timers.absorb_retransmissions) {
            let machine = self.machine(id);
            let actions = machine.map_or_else(Vec::new, |machine| machine.handle_retransmission());
            self.carry_out(id, flow, actions);
            return;
        }
        let reliable = flow.transport.is_reliable();
        let (machine, invite) = if method == Method::Invite {
            let number = message.cseq().map_or(0, |(number, _)| number);
            let invite = (message.call_id().to_owned(), number);
            let machine = Machine::ServerInvite(ServerInvite::new(reliable));
            (machine, Some(invite))
        } else {
            (
                Machine::ServerNonInvite(ServerNonInvite::new(reliable)),
                None,
            )
        };
        let transaction = self.add(Transaction {
            machine,
            key,
            flow: matching::response_flow(flow, &message),
            deadline: None,
            silent: false,
            invite,
        });
        self.indicate(Indication::Request {
            transaction,
            flow,
            message,
        });
    }

    fn on_ack(&mut self, now: Instant, flow: Flow, known: Option<TransactionId>, message: Message) {
        let number = message.cseq().map_or(0, |(number, _)| number);
        // With a branch of its own it can only be the ACK to a 2xx (RFC 3261 §13.2.2.4).
        let accepted = self.by_invite.get(&(message.call_id().to_owned(), number));
        let accepted = accepted.copied().filter(|id| self.has_accepted(*id));
        let id = known.or(accepted);
        let machine = id.and_then(|id| Some((id, &mut self.transactions.get_mut(&id)?.machine)));
        let Some((id, Machine::ServerInvite(machine))) = machine else {
            self.indicate(Indication::Ack { flow, message });
            return;
        };
        let mut actions = Vec::new();
        machine.handle_ack(now, &self.timers, message, &mut actions);
        self.carry_out(id, flow, actions);
    }

    /// A stream has ended or could not be opened.
    pub fn handle_flow_closed(&mut self, _now: Instant, flow: Flow) {
        self.framers.remove(&flow);
        let affected: Vec<TransactionId> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| transaction.flow == flow)
            .map(|(id, _)| *id)
            .collect();
        for id in affected {
            let machine = self.machine(id);
            let actions = machine.map_or_else(Vec::new, Machine::handle_flow_closed);
            self.carry_out(id, flow, actions);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let due: Vec<TransactionId> = due.map(|(_, id)| *id).collect();
        for id in due {
            let Some(entry) = self.transactions.get_mut(&id) else {
                continue;
            };
            let flow = entry.flow;
            let actions = entry.machine.handle_timeout(now, &self.timers);
            self.carry_out(id, flow, actions);
        }
    }

    /// Sends a request in a client transaction. The bytes go out as they are; the branch is read from the topmost Via.
    /// ACK has no transaction: it goes through [`send_raw`](Self::send_raw).
    pub fn send_request(&mut self, now: Instant, flow: Flow, request: Message) -> TransactionId {
        self.start(now, flow, request, false)
    }

    fn start(&mut self, now: Instant, flow: Flow, request: Message, silent: bool) -> TransactionId {
        let reliable = flow.transport.is_reliable();
        let key = Key::of_sent_request(&request);
        let mut actions = Vec::new();
        let machine = if request.method() == Some(&Method::Invite) {
            let machine = ClientInvite::new(now, &self.timers, request, reliable, &mut actions);
            Machine::ClientInvite(machine)
        } else {
            let bytes = request.wire().clone();
            let machine = ClientNonInvite::new(now, &self.timers, bytes, reliable, &mut actions);
            Machine::ClientNonInvite(machine)
        };
        let id = self.add(Transaction {
            machine,
            key,
            flow,
            deadline: None,
            silent,
            invite: None,
        });
        self.carry_out(id, flow, actions);
        id
    }

    /// Answers a request. An answer that the transaction cannot send any more (a second final one, or one after its
    /// flow has closed) is dropped.
    pub fn respond(&mut self, now: Instant, transaction: TransactionId, response: Message) {
        let Some(entry) = self.transactions.get_mut(&transaction) else {
            return;
        };
        let flow = entry.flow;
        let actions = entry.machine.respond(now, &self.timers, &response);
        self.carry_out(transaction, flow, actions);
    }

    /// Sends bytes outside every transaction: the ACK to a 2xx, or something wrong on purpose.
    pub fn send_raw(&mut self, flow: Flow, bytes: Bytes) {
        let reason = TransmitReason::Raw;
        let transmit = Transmit {
            flow,
            bytes,
            reason,
        };
        self.out.push_back(Output::Transmit(transmit));
    }

    /// Cancels an INVITE of ours: at once if a provisional response has come, else as soon as one comes (RFC 3261
    /// §9.1). The answer to the CANCEL is not told, the one to the INVITE is.
    pub fn cancel(&mut self, now: Instant, transaction: TransactionId) {
        if let Some(Machine::ClientInvite(machine)) = self.machine(transaction) {
            machine.cancel();
        }
        self.send_due_cancel(now, transaction);
    }

    fn send_due_cancel(&mut self, now: Instant, id: TransactionId) {
        let timers = &self.timers;
        let Some(entry) = self.transactions.get_mut(&id) else {
            return;
        };
        let Machine::ClientInvite(machine) = &mut entry.machine else {
            return;
        };
        if let Some(cancel) = machine.take_cancel(now, timers) {
            let flow = entry.flow;
            self.settle(id);
            self.start(now, flow, cancel, true);
        }
    }

    /// The INVITE that this CANCEL, received as a request, is meant for (RFC 3261 §9.2).
    #[must_use]
    pub fn invite_of(&self, cancel: TransactionId) -> Option<TransactionId> {
        let key = match &self.transactions.get(&cancel)?.key {
            Key::Client { .. } => return None,
            Key::Server {
                branch, sent_by, ..
            } => Key::Server {
                branch: branch.clone(),
                sent_by: sent_by.clone(),
                method: Method::Invite,
            },
            Key::Legacy {
                identity, number, ..
            } => Key::Legacy {
                identity: identity.clone(),
                number: *number,
                method: Method::Invite,
            },
        };
        self.by_key.get(&key).copied()
    }

    /// Drops a transaction silently: its copies are no longer sent, its answer becomes a stray.
    pub fn forget(&mut self, transaction: TransactionId) {
        let Some(entry) = self.transactions.remove(&transaction) else {
            return;
        };
        if self.by_key.get(&entry.key) == Some(&transaction) {
            self.by_key.remove(&entry.key);
        }
        if let Some(invite) = &entry.invite
            && self.by_invite.get(invite) == Some(&transaction)
        {
            self.by_invite.remove(invite);
        }
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(&(deadline, transaction));
        }
    }

    /// A branch that was never used.
    pub fn new_branch(&mut self) -> String {
        format!("{}{:016x}", matching::COOKIE, self.rng.u64(..))
    }

    /// A tag that was never used.
    pub fn new_tag(&mut self) -> String {
        format!("{:08x}", self.rng.u32(..))
    }

    /// A Call-ID that was never used.
    pub fn new_call_id(&mut self) -> String {
        format!("{:032x}", self.rng.u128(..))
    }

    /// The generator that all of these come from.
    pub const fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.rng
    }

    /// The next thing that the endpoint wants.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| {
            Output::Timeout(self.deadlines.first().map(|(deadline, _)| *deadline))
        })
    }

    fn machine(&mut self, id: TransactionId) -> Option<&mut Machine> {
        Some(&mut self.transactions.get_mut(&id)?.machine)
    }

    fn has_accepted(&self, id: TransactionId) -> bool {
        let machine = self.transactions.get(&id).map(|entry| &entry.machine);
        let Some(Machine::ServerInvite(machine)) = machine else {
            return false;
        };
        matches!(machine.state(), ServerInviteState::Accepted { .. })
    }

    fn add(&mut self, transaction: Transaction) -> TransactionId {
        self.last_id += 1;
        let id = TransactionId(self.last_id);
        self.by_key.insert(transaction.key.clone(), id);
        if let Some(invite) = &transaction.invite {
            self.by_invite.insert(invite.clone(), id);
        }
        self.transactions.insert(id, transaction);
        id
    }

    /// Does what a machine asked for; `from` is where the message came from that it reacts to.
    fn carry_out(&mut self, id: TransactionId, from: Flow, actions: Vec<Action>) {
        let Some(entry) = self.transactions.get(&id) else {
            return;
        };
        let (flow, silent, is_client) = (entry.flow, entry.silent, entry.machine.is_client());
        for action in actions {
            let output = match action {
                Action::Transmit(bytes, reason) => Output::Transmit(Transmit {
                    flow,
                    bytes,
                    reason,
                }),
                _ if silent => continue,
                Action::Deliver(message) if is_client => Output::Indication(Indication::Response {
                    transaction: id,
                    flow: from,
                    message,
                }),
                Action::Deliver(message) => Output::Indication(Indication::Ack {
                    flow: from,
                    message,
                }),
                Action::Fail(cause) => Output::Indication(Indication::Failed {
                    transaction: id,
                    cause,
                }),
            };
            self.out.push_back(output);
        }
        self.settle(id);
    }

    /// Brings the list of deadlines up to date with a machine that has just moved.
    fn settle(&mut self, id: TransactionId) {
        let Some(entry) = self.transactions.get_mut(&id) else {
            return;
        };
        if entry.machine.is_terminated() {
            self.forget(id);
            return;
        }
        let next = entry.machine.deadline();
        if next != entry.deadline {
            if let Some(old) = entry.deadline {
                self.deadlines.remove(&(old, id));
            }
            if let Some(new) = next {
                self.deadlines.insert((new, id));
            }
            entry.deadline = next;
        }
    }

    fn indicate(&mut self, indication: Indication) {
        self.out.push_back(Output::Indication(indication));
    }
}
