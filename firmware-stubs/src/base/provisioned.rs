//! What a base does with its provisioning: it asks, reads, applies, and says what it could not use.

use super::Base;
use crate::menu::Handset;
use crate::provisioning::Document;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use sip::node::{ExchangeId, HttpFailure, Output};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Base {
    pub(super) fn ask_for_provisioning(&mut self, exchange: Option<ExchangeId>) {
        let Some(exchange) = exchange else {
            return;
        };
        let url = provisioning_file(&self.provisioning_url, &self.mac);
        let user_agent = format!(
            "{};{}",
            self.model.user_agent(),
            self.mac.to_ascii_uppercase()
        );
        let request = Request::get(&url)
            .header(http::header::USER_AGENT, user_agent)
            .body(Bytes::new());
        match request {
            Ok(request) => self.outputs.push_back(Output::Http { exchange, request }),
            Err(error) => self.fail_provisioning(&format!("{url} is not a URL: {error}")),
        }
    }

    pub(super) fn handle_provisioning(
        &mut self,
        exchange: ExchangeId,
        reply: Result<Response<Bytes>, HttpFailure>,
    ) {
        if !self.fetch.awaits(exchange) {
            return;
        }
        match reply {
            Err(HttpFailure(why)) => self.fail_provisioning(&format!("no answer: {why}")),
            Ok(response) if response.status() != StatusCode::OK => {
                self.fail_provisioning(&format!("answered {}", response.status().as_u16()));
            }
            Ok(response) => {
                match Document::parse(response.body(), self.model.limits.provisioning_file) {
                    Err(error) => self.fail_provisioning(&format!("refused: {error}")),
                    Ok(document) => self.take_provisioning(&document),
                }
            }
        }
    }

    fn fail_provisioning(&mut self, why: &str) {
        self.fetch.handle_failure(self.now);
        self.report_failed_provisioning(why);
    }

    pub(super) fn report_failed_provisioning(&mut self, why: &str) {
        self.log(&format!("provisioning {why}"));
        // Without a file the base works with what it kept over its restart.
        if self.fetch.failures() == 1 {
            self.apply_table();
        }
    }

    fn take_provisioning(&mut self, document: &Document) {
        let notes = self
            .table
            .provision(self.now, document, &self.model, &self.defects);
        for note in notes {
            self.log(&format!("provisioning {note}"));
        }
        self.log(&format!(
            "provisioning applied {} parameters",
            document.parameters.len()
        ));
        self.console.configure(self.table.admin_password());
        self.web.configure(self.table.admin_password());
        self.apply_table();
        let next = self.fetch.handle_success(self.now);
        self.ask_for_provisioning(next);
    }

    /// Brings handsets and SIP in line with the table.
    pub(super) fn apply_table(&mut self) {
        let mut paired = BTreeSet::new();
        for (ipui, row) in self.table.paired() {
            paired.insert(ipui.clone());
            let handset = self.handsets.entry(ipui.clone()).or_insert_with(|| {
                Handset::new(Arc::clone(&self.model), self.defects.clone(), "", false)
            });
            handset.configure(row.display_name(), row.feature_key_sync());
            self.changed.insert(ipui.clone());
        }
        self.handsets.retain(|ipui, _| paired.contains(ipui));
        self.shown.retain(|ipui, _| paired.contains(ipui));
        let settings = self.table.settings(&self.model);
        self.user_agent.configure(self.now, &settings);
    }
}

/// The file of this base. A URL of a file without a host gets one, because a request needs it.
fn provisioning_file(url: &str, mac: &str) -> String {
    let url = url.trim_end_matches('/');
    let url = match url.strip_prefix("file:///") {
        Some(path) => format!("file://localhost/{path}"),
        None => url.to_owned(),
    };
    if url.ends_with(".xml") {
        url
    } else {
        format!("{url}/{mac}.xml")
    }
}
