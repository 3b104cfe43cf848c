//! One of the four transaction machines, whichever a message needs.

use crate::message::Message;
use crate::time::Instant;
use crate::timer::Timers;
use crate::transaction::{
    Action, ClientInvite, ClientInviteState, ClientNonInvite, ClientNonInviteState, ServerInvite,
    ServerInviteState, ServerNonInvite, ServerNonInviteState,
};

#[derive(Clone, Debug)]
#[expect(
    clippy::enum_variant_names,
    reason = "INVITE and non-INVITE are the words of the standard"
)]
pub(super) enum Machine {
    ClientInvite(ClientInvite),
    ClientNonInvite(ClientNonInvite),
    ServerInvite(ServerInvite),
    ServerNonInvite(ServerNonInvite),
}

impl Machine {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::ClientInvite(machine) => machine.deadline(),
            Self::ClientNonInvite(machine) => machine.deadline(),
            Self::ServerInvite(machine) => machine.deadline(),
            Self::ServerNonInvite(machine) => machine.deadline(),
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        match self {
            Self::ClientInvite(machine) => *machine.state() == ClientInviteState::Terminated,
            Self::ClientNonInvite(machine) => *machine.state() == ClientNonInviteState::Terminated,
            Self::ServerInvite(machine) => *machine.state() == ServerInviteState::Terminated,
            Self::ServerNonInvite(machine) => *machine.state() == ServerNonInviteState::Terminated,
        }
    }

    pub(super) const fn is_client(&self) -> bool {
        matches!(self, Self::ClientInvite(_) | Self::ClientNonInvite(_))
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        timers: &Timers,
        response: Message,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        match self {
            Self::ClientInvite(machine) => {
                machine.handle_response(now, timers, response, &mut actions);
            }
            Self::ClientNonInvite(machine) => {
                machine.handle_response(now, timers, response, &mut actions);
            }
            Self::ServerInvite(_) | Self::ServerNonInvite(_) => {}
        }
        actions
    }

    pub(super) fn handle_retransmission(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        match self {
            Self::ServerInvite(machine) => machine.handle_retransmission(&mut actions),
            Self::ServerNonInvite(machine) => machine.handle_retransmission(&mut actions),
            Self::ClientInvite(_) | Self::ClientNonInvite(_) => {}
        }
        actions
    }

    pub(super) fn respond(
        &mut self,
        now: Instant,
        timers: &Timers,
        response: &Message,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        match self {
            Self::ServerInvite(machine) => machine.respond(now, timers, response, &mut actions),
            Self::ServerNonInvite(machine) => machine.respond(now, timers, response, &mut actions),
            Self::ClientInvite(_) | Self::ClientNonInvite(_) => {}
        }
        actions
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, timers: &Timers) -> Vec<Action> {
        let mut actions = Vec::new();
        match self {
            Self::ClientInvite(machine) => machine.handle_timeout(now, timers, &mut actions),
            Self::ClientNonInvite(machine) => machine.handle_timeout(now, timers, &mut actions),
            Self::ServerInvite(machine) => machine.handle_timeout(now, timers, &mut actions),
            Self::ServerNonInvite(machine) => machine.handle_timeout(now),
        }
        actions
    }

    pub(super) fn handle_flow_closed(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        match self {
            Self::ClientInvite(machine) => machine.handle_flow_closed(&mut actions),
            Self::ClientNonInvite(machine) => machine.handle_flow_closed(&mut actions),
            Self::ServerInvite(machine) => machine.handle_flow_closed(&mut actions),
            Self::ServerNonInvite(machine) => machine.handle_flow_closed(),
        }
        actions
    }
}
