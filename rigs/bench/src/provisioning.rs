//! The provisioning server: what the base finds when it fetches its file.
//!
//! The file is written with the parameter names and in the shape that real provisioning servers use for this product
//! family (domain/gigaset.md §2.2), stray text included, because real ones have it and a base must bear it. Passwords and PINs
//! are in the file that the base gets and never in the record.

use crate::console::REDACTED;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;

/// Whether an account's file switches feature key synchronisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// The parameter is not in the file.
    Absent,
    /// The parameter is 0.
    Off,
    /// The parameter is 1.
    #[default]
    On,
}

/// Somebody's account on the base. Its password is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// What the features call its user.
    pub name: String,
    /// The IPUI of the handset.
    pub handset: String,
    /// The user part of the address of record, and the name in the digest.
    pub user: String,
    /// The digest password.
    pub password: String,
    /// What the idle screen shows.
    pub display_name: String,
    /// Whether feature key synchronisation is switched on.
    pub sync: Sync,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("handset", &self.handset)
            .field("user", &self.user)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}

/// What switches a mechanism of the server on at the base, for one handset's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The provisioning parameter, without the account in front.
    pub parameter: String,
    /// The value that switches the mechanism on; any other leaves it off.
    pub on: String,
}

/// How SIP travels, as the file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `TransportProtocol` 1.
    Udp,
    /// `TransportProtocol` 2.
    Tcp,
}

/// What one provisioning server has for one base. Handset parameters are written under their IPUI, the others as they
/// are; a parameter that was set by hand wins over one that follows from the accounts.
#[derive(Clone)]
pub struct ProvisioningFile {
    /// The base's MAC address, lower case, no separators: the file's name.
    pub mac: String,
    /// The SIP domain.
    pub domain: String,
    /// The registrar and proxy.
    pub server: SocketAddr,
    /// How SIP travels.
    pub transport: Transport,
    /// The requested lifetime of a registration, in seconds.
    pub registration_refresh: u32,
    /// What has to be switched on for an account whose synchronisation is on, as the server's dialect says.
    pub gates: Vec<Gate>,
    /// The accounts, one handset each.
    pub accounts: Vec<Account>,
    /// The password of the base's administrator; `None` leaves the factory password.
    pub admin_password: Option<String>,
    /// Parameters set by hand; `None` takes a parameter out.
    parameters: BTreeMap<String, Option<String>>,
    answer: Option<(u16, Bytes)>,
}

impl fmt::Debug for ProvisioningFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render_redacted())
    }
}

impl ProvisioningFile {
    /// A file with no account.
    #[must_use]
    pub fn new(mac: &str, domain: &str, server: SocketAddr) -> Self {
        Self {
            mac: mac.to_owned(),
            domain: domain.to_owned(),
            server,
            transport: Transport::Udp,
            registration_refresh: 180,
            gates: Vec::new(),
            accounts: Vec::new(),
            admin_password: None,
            parameters: BTreeMap::new(),
            answer: None,
        }
    }

    /// The account of this user.
    pub fn account(&mut self, name: &str) -> Option<&mut Account> {
        self.accounts
            .iter_mut()
            .find(|account| account.name == name)
    }

    /// Takes an account, and with it its handset, out of the file.
    pub fn remove_account(&mut self, name: &str) {
        self.accounts.retain(|account| account.name != name);
    }

    /// Sets a parameter by its full name.
    pub fn set(&mut self, parameter: &str, value: &str) {
        self.parameters
            .insert(parameter.to_owned(), Some(value.to_owned()));
    }

    /// Takes a parameter out of the file.
    pub fn remove(&mut self, parameter: &str) {
        self.parameters.insert(parameter.to_owned(), None);
    }

    /// Answers every fetch with this instead of the file.
    pub fn answer_with(&mut self, status: u16, body: impl Into<Bytes>) {
        self.answer = Some((status, body.into()));
    }

    /// The file as the base gets it.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_with(false)
    }

    /// The file as it stands in the record.
    #[must_use]
    pub fn render_redacted(&self) -> String {
        self.render_with(true)
    }

    /// Whether this path names the file.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".xml") == Some(self.mac.as_str())
    }

    /// The answer to a fetch of this path, and the document for the record.
    #[must_use]
    pub fn serve(&self, path: &str) -> (http::Response<Bytes>, String) {
        let (status, body, shown) = if !self.is_at(path) {
            let body = "no such file\n";
            (404, Bytes::from_static(body.as_bytes()), body.to_owned())
        } else if let Some((status, body)) = &self.answer {
            let shown = String::from_utf8_lossy(body).into_owned();
            (*status, body.clone(), self.redact(shown))
        } else {
            (200, Bytes::from(self.render()), self.render_redacted())
        };
        let content_type = if status == 200 {
            "text/xml"
        } else {
            "text/plain"
        };
        let mut response = http::Response::new(body);
        *response.status_mut() =
            http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let content_type = http::HeaderValue::from_static(content_type);
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, content_type);
        (response, shown)
    }

    /// A document written by hand may hold our passwords too.
    fn redact(&self, mut text: String) -> String {
        let passwords = self.accounts.iter().map(|account| &account.password);
        for password in passwords.chain(&self.admin_password) {
            if !password.is_empty() {
                text = text.replace(password.as_str(), REDACTED);
            }
        }
        text
    }

    fn render_with(&self, redacted: bool) -> String {
        let mut text = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <provisioning version=\"1.1\" productID=\"e2\">\n  <nvm>\n\
             \x20   <oper name=\"DeleteNotProvisionedHS\"/>\n",
        );
        for account in &self.accounts {
            let _ = write!(
                text,
                "    <oper value=\"{}\" name=\"add_hs\">\n\
                 \x20     <param name=\"hs.RegStatus\" value=\"ToReg\"/>\n    </oper>\n",
                escape(&account.handset)
            );
        }
        // Real files have this stray end of a comment.
        text.push_str("    -->\n");
        for (name, value) in self.all_parameters() {
            let shown = if redacted && is_secret(&name) {
                REDACTED
            } else {
                &value
            };
            let _ = writeln!(
                text,
                "    <param name=\"{}\" value=\"{}\"/>",
                escape(&name),
                escape(shown)
            );
        }
        text.push_str("  </nvm>\n</provisioning>\n");
        text
    }

    /// What follows from the accounts, and over it what was set by hand.
    fn all_parameters(&self) -> Vec<(String, String)> {
        let mut list = self.provider();
        if let Some(password) = &self.admin_password {
            list.push(("WebUIAccounts.1.Password".to_owned(), password.clone()));
        }
        for account in &self.accounts {
            list.extend(handset(account, &self.gates));
        }
        list.retain(|(name, _)| !self.parameters.contains_key(name));
        for (name, value) in &self.parameters {
            if let Some(value) = value {
                list.push((name.clone(), value.clone()));
            }
        }
        list
    }

    fn provider(&self) -> Vec<(String, String)> {
        let host = self.server.ip().to_string();
        let port = self.server.port().to_string();
        let transport = match self.transport {
            Transport::Udp => "1",
            Transport::Tcp => "2",
        };
        let refresh = self.registration_refresh.to_string();
        let rows: [(&str, &str); 12] = [
            ("Name", "lockstep"),
            ("Domain", &self.domain),
            ("ProxyServerAddress", &host),
            ("ProxyServerPort", &port),
            ("RegServerAddress", &host),
            ("RegServerPort", &port),
            ("RegServerRefreshTimer", &refresh),
            ("TransportProtocol", transport),
            ("UseSIPS", "0"),
            ("DnsQuery", "0"),
            ("FailoverServerEnabled", "0"),
            ("OutboundProxyMode", "2"),
        ];
        rows.into_iter()
            .map(|(name, value)| (format!("SipProvider.0.{name}"), value.to_owned()))
            .collect()
    }
}

/// Nobody has published what switches a gate off but its default, 0.
const OFF: &str = "0";

fn handset(account: &Account, gates: &[Gate]) -> Vec<(String, String)> {
    let ipui = &account.handset;
    let mut rows = vec![
        (format!("hs.{ipui}.DECT_AC"), "0000".to_owned()),
        (format!("SipAccount.{ipui}.AuthName"), account.user.clone()),
        (
            format!("SipAccount.{ipui}.AuthPassword"),
            account.password.clone(),
        ),
        (format!("SipAccount.{ipui}.UserName"), account.user.clone()),
        (
            format!("SipAccount.{ipui}.DisplayName"),
            account.display_name.clone(),
        ),
        (format!("SipAccount.{ipui}.ProviderId"), "0".to_owned()),
    ];
    for gate in gates {
        let value = match account.sync {
            Sync::Absent => continue,
            Sync::Off => OFF,
            Sync::On => &gate.on,
        };
        let name = format!("SipAccount.{ipui}.{}", gate.parameter);
        rows.push((name, value.to_owned()));
    }
    rows
}

fn is_secret(parameter: &str) -> bool {
    ["Password", "DECT_AC", "Ppasswd"]
        .iter()
        .any(|end| parameter.ends_with(end))
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> ProvisioningFile {
        let server = "127.0.0.1:5060".parse().unwrap();
        let mut file = ProvisioningFile::new("7c2f80e0d605", "as.example", server);
        file.gates.push(Gate {
            parameter: "FeatureKeySyncActive".to_owned(),
            on: "1".to_owned(),
        });
        file.accounts.push(Account {
            name: "Anna".to_owned(),
            handset: "029e74a599".to_owned(),
            user: "1001".to_owned(),
            password: "s&cret".to_owned(),
            display_name: "Anna".to_owned(),
            sync: Sync::On,
        });
        file
    }

    #[test]
    fn the_base_gets_real_parameter_names() {
        let text = file().render();
        for line in [
            "<provisioning version=\"1.1\" productID=\"e2\">",
            "<oper value=\"029e74a599\" name=\"add_hs\">",
            "<param name=\"SipAccount.029e74a599.FeatureKeySyncActive\" value=\"1\"/>",
            "<param name=\"SipAccount.029e74a599.AuthPassword\" value=\"s&amp;cret\"/>",
            "<param name=\"SipProvider.0.RegServerAddress\" value=\"127.0.0.1\"/>",
            "\n    -->\n",
        ] {
            assert!(text.contains(line), "{line} not in {text}");
        }
    }

    #[test]
    fn the_record_holds_no_password() {
        let mut file = file();
        file.admin_password = Some("topsecret".to_owned());
        let (response, shown) = file.serve("/p/7c2f80e0d605.xml");
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(body.contains("s&amp;cret") && body.contains("topsecret"));
        assert!(!shown.contains("cret\""), "{shown}");
        assert!(shown.contains("AuthPassword\" value=\"********\""));
        assert!(!format!("{file:?} {:?}", file.accounts).contains("cret\""));
        file.answer_with(200, "<a>topsecret</a>");
        assert_eq!(file.serve("7c2f80e0d605.xml").1, "<a>********</a>");
    }

    #[test]
    fn the_switch_can_be_on_off_or_absent() {
        let mut file = file();
        let has = |file: &ProvisioningFile, text: &str| file.render().contains(text);
        assert!(has(&file, "FeatureKeySyncActive\" value=\"1\""));
        file.account("Anna").unwrap().sync = Sync::Off;
        assert!(has(&file, "FeatureKeySyncActive\" value=\"0\""));
        file.account("Anna").unwrap().sync = Sync::Absent;
        assert!(!has(&file, "FeatureKeySyncActive"));
    }

    #[test]
    fn what_is_set_by_hand_wins_and_stands_once() {
        let mut file = file();
        file.set("SipProvider.0.TransportProtocol", "3");
        file.remove("SipProvider.0.Domain");
        file.set("Telephony.0.ToneScheme", "Germany");
        let text = file.render();
        assert_eq!(text.matches("TransportProtocol").count(), 1);
        assert!(text.contains("TransportProtocol\" value=\"3\""));
        assert!(!text.contains("SipProvider.0.Domain"));
        assert!(text.contains("ToneScheme\" value=\"Germany\""));
    }

    #[test]
    fn another_name_is_not_found() {
        let (response, _) = file().serve("/p/7C2F80E0D605.xml");
        assert_eq!(response.status(), 404);
    }
}
