//! The parameters of accounts and providers: their names, their values, and what becomes of values that make no sense.

use super::{HostPort, Provider, Secret};
use crate::model::Model;
use sip::node::Transport;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) user_name: String,
    pub(super) auth_name: String,
    pub(super) auth_password: Secret,
    pub(super) display_name: String,
    pub(super) provider: u32,
    pub(super) feature_key_sync: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ProviderSettings {
    pub(super) domain: String,
    pub(super) proxy_address: String,
    pub(super) proxy_port: Option<u16>,
    pub(super) registrar_address: String,
    pub(super) registrar_port: Option<u16>,
    pub(super) refresh_timer: Option<Duration>,
    pub(super) transport: Option<Transport>,
}

/// The parameters of other areas, accepted without effect on what is emulated.
pub(super) const ACCEPTED: &[&str] = &[
    "DmGlobal",
    "Netdir",
    "Provisioning",
    "RapService",
    "SystemSettings",
    "Telephony",
    "XMLDir",
    "dm",
];

/// Parameters of an account, a handset and a provider that are accepted without effect.
const ACCEPTED_FIELDS: &[&str] = &[
    "AcceptNonSRTPCalls",
    "ConnectionTimeoutAction",
    "DECT_AC",
    "DTMFTransmission",
    "DirectAccessDir",
    "DnsQuery",
    "FailoverServerAddress",
    "FailoverServerEnabled",
    "FailoverServerPort",
    "IntKeyDir",
    "MWISubscription",
    "Name",
    "OutboundProxyAddress",
    "OutboundProxyMode",
    "OutboundProxyPort",
    "RegStatus",
    "RenewConnectionAfterTimeout",
    "SRTP_Enabled",
    "UseSIPS",
    "VoiceMailActive",
    "VoiceMailMailbox",
    "WithDeregOnHsNotReachable",
];

impl ProviderSettings {
    pub(super) fn settle(&self, model: &Model) -> Option<Provider> {
        let first = |one: &str, other: &str| {
            let found = [one, other, &self.domain]
                .into_iter()
                .find(|host| !host.is_empty());
            found.map(str::to_owned)
        };
        let transport = self.transport.unwrap_or(Transport::Udp);
        let usual = if transport == Transport::Tls {
            5061
        } else {
            5060
        };
        let proxy_port = self.proxy_port.or(self.registrar_port).unwrap_or(usual);
        let proxy = HostPort {
            host: first(&self.proxy_address, &self.registrar_address)?,
            port: proxy_port,
        };
        let registrar = HostPort {
            host: first(&self.registrar_address, &self.proxy_address)?,
            port: self.registrar_port.unwrap_or(proxy_port),
        };
        let domain = if self.domain.is_empty() {
            registrar.host.clone()
        } else {
            self.domain.clone()
        };
        Some(Provider {
            domain,
            proxy,
            registrar,
            refresh_timer: self
                .refresh_timer
                .unwrap_or(model.timers.registration_refresh),
            transport,
            subscription_timer: model.timers.subscription,
        })
    }
}

pub(super) fn apply_account_field(
    account: &mut Account,
    field: &str,
    value: &str,
) -> Result<(), String> {
    match field {
        "AuthName" => account.auth_name = value.to_owned(),
        "AuthPassword" => account.auth_password = Secret::new(value),
        "DisplayName" => account.display_name = value.to_owned(),
        "FeatureKeySyncActive" => {
            account.feature_key_sync = match value {
                "0" => false,
                "1" => true,
                _ => return Err("neither 0 nor 1".to_owned()),
            }
        }
        "ProviderId" => {
            account.provider = value.parse().map_err(|_| "not a provider number")?;
        }
        "UserName" => account.user_name = value.to_owned(),
        _ => return accepted(field),
    }
    Ok(())
}

pub(super) fn apply_provider_field(
    provider: &mut ProviderSettings,
    field: &str,
    value: &str,
) -> Result<(), String> {
    let port = || value.parse::<u16>().map_err(|_| "not a port".to_owned());
    match field {
        "Domain" => provider.domain = value.to_owned(),
        "ProxyServerAddress" => provider.proxy_address = value.to_owned(),
        "ProxyServerPort" => provider.proxy_port = Some(port()?),
        "RegServerAddress" => provider.registrar_address = value.to_owned(),
        "RegServerPort" => provider.registrar_port = Some(port()?),
        "RegServerRefreshTimer" => {
            let seconds: u64 = value.parse().map_err(|_| "not a number of seconds")?;
            if seconds == 0 {
                return Err("zero seconds".to_owned());
            }
            provider.refresh_timer = Some(Duration::from_secs(seconds));
        }
        "TransportProtocol" => {
            provider.transport = Some(match value {
                "1" => Transport::Udp,
                "2" => Transport::Tcp,
                "3" => Transport::Tls,
                _ => return Err("none of 1, 2, 3".to_owned()),
            });
        }
        _ => return accepted(field),
    }
    Ok(())
}

pub(super) fn accepted(field: &str) -> Result<(), String> {
    if ACCEPTED_FIELDS.contains(&field) {
        Ok(())
    } else {
        Err("not known".to_owned())
    }
}
