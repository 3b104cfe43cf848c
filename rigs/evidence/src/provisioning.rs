//! What a provisioning file asks of a base: parameters by name, and which handsets it adds.
//!
//! Real files hold stray text and parameters that nobody knows: both are kept out of the way, not refused. What the
//! parameters mean is the business of the monitor.

use crate::xml::{Element, XmlError};
use std::collections::{BTreeMap, BTreeSet};

/// A provisioning file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioning {
    /// The parameters of all handsets and of the base, the last one of a name counts.
    pub parameters: BTreeMap<String, String>,
    /// The handsets that it adds, by IPUI or placeholder.
    pub handsets: BTreeSet<String>,
    /// Whether handsets that it does not name are to be deleted.
    pub deletes_others: bool,
}

/// One account of a provisioning file, as far as the monitor needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The handset it belongs to, by IPUI.
    pub handset: String,
    /// The user part of its address-of-record.
    pub user: String,
    /// The name it authenticates with.
    pub auth_name: String,
    /// The domain of its address-of-record; empty when the file does not say.
    pub domain: String,
    /// The switch of feature key synchronisation, when the file has it.
    pub sync: Option<bool>,
}

impl Provisioning {
    /// Reads a provisioning file.
    ///
    /// # Errors
    /// When it is not well-formed XML, breaks a limit or is another kind of document.
    pub fn parse(document: &str) -> Result<Self, XmlError> {
        let root = Element::parse(document.as_bytes())?;
        if root.name != "provisioning" {
            return Err(XmlError::Malformed(format!(
                "the root element is `{}`, not `provisioning`",
                root.name
            )));
        }
        let mut file = Self::default();
        for nvm in root.all("nvm") {
            file.read(nvm);
        }
        Ok(file)
    }

    fn read(&mut self, element: &Element) {
        for child in &element.children {
            let name = child.attribute("name");
            let value = child.attribute("value");
            match (child.name.as_str(), name) {
                ("param", Some(name)) => {
                    let value = value.unwrap_or_default().to_owned();
                    self.parameters.insert(name.to_owned(), value);
                }
                ("oper", Some("add_hs")) => {
                    self.handsets
                        .extend(value.map(|ipui| ipui.to_ascii_lowercase()));
                }
                ("oper", Some("DeleteNotProvisionedHS")) => self.deletes_others = true,
                ("oper", _) => self.read(child),
                _ => {}
            }
        }
    }

    /// The accounts, in the order of their handsets. An account without a user name is none.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
        let mut providers = BTreeMap::new();
        for (name, value) in &self.parameters {
            let mut words = name.splitn(3, '.');
            let (Some("SipAccount"), Some(handset), Some(key)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let handset = handset.to_ascii_lowercase();
            let account = accounts.entry(handset.clone()).or_default();
            match key {
                "UserName" => account.user.clone_from(value),
                "AuthName" => account.auth_name.clone_from(value),
                "FeatureKeySyncActive" => account.sync = Some(value.trim() == "1"),
                "ProviderId" => {
                    providers.insert(handset.clone(), value.trim().to_owned());
                }
                _ => {}
            }
            account.handset = handset;
        }
        for account in accounts.values_mut() {
            let provider = providers.get(&account.handset).map_or("0", String::as_str);
            let domain = self
                .parameters
                .get(&format!("SipProvider.{provider}.Domain"));
            account.domain = domain.cloned().unwrap_or_default();
        }
        let mut accounts: Vec<Account> = accounts.into_values().collect();
        accounts.retain(|account| !account.user.is_empty());
        accounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<provisioning version="1.1" productID="e2">
  <nvm> -->
    <oper name="DeleteNotProvisionedHS"/>
    <oper value="029E74A599" name="add_hs"><param name="hs.RegStatus" value="ToReg"/></oper>
    <param name="SipAccount.029e74a599.UserName" value="1013"/>
    <param name="SipAccount.029e74a599.AuthName" value="a1013"/>
    <param name="SipAccount.029e74a599.ProviderId" value="2"/>
    <param name="SipAccount.029e74a599.FeatureKeySyncActive" value="1"/>
    <param name="SipAccount.02b6ec8aa5.UserName" value="1014"/>
    <param name="SipAccount.00001.AuthName" value="x"/>
    <param name="SipProvider.2.Domain" value="as.example"/>
    <param name="Unheard.of" value="1"/>
  </nvm>
</provisioning>"#;

    #[test]
    fn accounts_carry_their_handset_domain_and_switch() {
        let file = Provisioning::parse(FILE).unwrap();
        assert!(file.deletes_others);
        assert!(file.handsets.contains("029e74a599"));
        let accounts = file.accounts();
        assert_eq!(accounts.len(), 2);
        let first = accounts.first().unwrap();
        assert_eq!(
            (
                first.user.as_str(),
                first.auth_name.as_str(),
                first.domain.as_str(),
                first.sync
            ),
            ("1013", "a1013", "as.example", Some(true))
        );
        let second = accounts.last().unwrap();
        assert_eq!((second.user.as_str(), second.sync), ("1014", None));
    }

    #[test]
    fn another_document_is_refused() {
        assert!(Provisioning::parse("<ProviderFrame/>").is_err());
        assert!(Provisioning::parse("<!DOCTYPE a><provisioning/>").is_err());
    }
}
