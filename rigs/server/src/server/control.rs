//! The HTTP face: the portal as BroadWorks offers it, the sites, and their plans of faults.
//!
//! | path | GET | PUT | POST | DELETE |
//! |------|-----|-----|------|--------|
//! | `/com.broadsoft.xsi-actions/v2.0/user/<id>/services/<service>` | the service, XML | change it | | |
//! | `/control/users` | accounts, bindings and subscriptions, JSON | | | |
//! | `/control/sites` | names and whether they run, JSON | | | |
//! | `/control/sites/<site>/faults` | the plan, JSON | | load one fault or a list | clear the plan |
//! | `/control/sites/<site>/faults/<n>` | | | | remove one |
//! | `/control/sites/<site>/start`, `stop`, `restart` | | | do so | |
//!
//! `/control/faults` is the plan of the first site. `<id>` is the account's name, with or without `@domain`. A PUT is a
//! change by the portal and is notified like one. Unlike a real portal this one asks nobody for a password: whoever reaches
//! it holds the rig.

use super::AppServer;
use crate::account::merged;
use crate::fault::{Fault, FaultId, Faults};
use crate::portal::{Portal, PortalError};
use crate::service::ServiceValue;
use crate::site::SiteId;
use crate::xsi;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::json;
use sip::service::{Service, Setting};
use sip::time::Instant;

const XSI_USERS: &str = "/com.broadsoft.xsi-actions/v2.0/user/";
const XML: &str = "application/xml;charset=UTF-8";
const JSON: &str = "application/json";

impl AppServer {
    /// Answers one request.
    pub(super) fn answer_http(
        &mut self,
        now: Instant,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        let path = request.uri().path();
        if let Some(rest) = path.strip_prefix(XSI_USERS) {
            return self.answer_xsi(now, request, rest);
        }
        let control = path.trim_end_matches('/').strip_prefix("/control/");
        let words: Vec<&str> = control.map_or_else(Vec::new, |rest| rest.split('/').collect());
        match words.as_slice() {
            ["users"] if *request.method() == Method::GET => {
                answer_json(StatusCode::OK, &self.describe_users(now))
            }
            ["sites"] if *request.method() == Method::GET => {
                answer_json(StatusCode::OK, &self.describe_sites())
            }
            ["users" | "sites"] => not_allowed("GET"),
            ["faults", rest @ ..] => self.answer_faults(SiteId::FIRST, request, rest),
            ["sites", name, rest @ ..] => match (self.site_named(name), rest) {
                (None, _) => refuse_json(StatusCode::NOT_FOUND, "there is no such site"),
                (Some(site), ["faults", rest @ ..]) => self.answer_faults(site, request, rest),
                (Some(site), [verb @ ("start" | "stop" | "restart")]) => {
                    self.answer_power(site, request, verb)
                }
                (Some(_), _) => nothing_here(),
            },
            _ => nothing_here(),
        }
    }

    fn answer_faults(
        &mut self,
        site: SiteId,
        request: &Request<Bytes>,
        rest: &[&str],
    ) -> Response<Bytes> {
        match (rest, request.method()) {
            ([], &Method::GET) => answer_json(StatusCode::OK, &json!(self.faults(site))),
            ([], &Method::POST) => self.load_faults(site, request.body()),
            ([], &Method::DELETE) => {
                self.clear_faults(site);
                empty(StatusCode::NO_CONTENT)
            }
            ([], _) => not_allowed("GET, POST, DELETE"),
            ([number], method) => match (number.parse().map(FaultId), method) {
                (Ok(_), method) if *method != Method::DELETE => not_allowed("DELETE"),
                (Ok(id), _) if self.remove_fault(site, id) => empty(StatusCode::NO_CONTENT),
                _ => nothing_here(),
            },
            _ => nothing_here(),
        }
    }

    fn load_faults(&mut self, site: SiteId, body: &[u8]) -> Response<Bytes> {
        match Fault::list_from_json(body, "faults") {
            Ok(faults) => {
                let ids: Vec<FaultId> = faults
                    .into_iter()
                    .map(|fault| self.load_fault(site, fault))
                    .collect();
                answer_json(StatusCode::CREATED, &json!({ "ids": ids }))
            }
            Err(error) => refuse_json(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    fn answer_power(
        &mut self,
        site: SiteId,
        request: &Request<Bytes>,
        verb: &str,
    ) -> Response<Bytes> {
        if *request.method() != Method::POST {
            return not_allowed("POST");
        }
        match verb {
            "start" => self.start_site(site),
            "stop" => self.stop_site(site),
            _ => self.restart_site(site),
        }
        empty(StatusCode::NO_CONTENT)
    }

    fn answer_xsi(
        &mut self,
        now: Instant,
        request: &Request<Bytes>,
        rest: &str,
    ) -> Response<Bytes> {
        let Some((id, name)) = rest.split_once("/services/") else {
            return refuse_xml(
                StatusCode::NOT_FOUND,
                "only the services of a user are here",
            );
        };
        let id = crate::address::unescaped(id);
        let user = id.split_once('@').map_or(id.as_str(), |(user, _)| user);
        let Some(service) = xsi::service_named(name.trim_end_matches('/')) else {
            let text = format!("there is no service {name}");
            return refuse_xml(StatusCode::NOT_FOUND, &text);
        };
        let stored = match self.read(now, user, service) {
            Ok(stored) => stored,
            Err(error) => return refuse_xml(status_of(&error), &error.to_string()),
        };
        match *request.method() {
            Method::GET => answer_xml(StatusCode::OK, xsi::document(service, &stored)),
            Method::PUT => self.put_xsi(now, user, service, &stored, request.body()),
            _ => not_allowed("GET, PUT"),
        }
    }

    fn put_xsi(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        stored: &Setting,
        body: &[u8],
    ) -> Response<Bytes> {
        let change = match xsi::parse(service, body) {
            Ok(change) => change,
            Err(error) => return refuse_xml(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let asked = Setting {
            active: change.active.unwrap_or(stored.active),
            number: change.number.clone(),
            rings: change.rings,
            agent: None,
        };
        let mut setting = merged(service, Some(stored), &asked);
        // The portal may clear a number, unlike a handset that leaves it empty.
        if change.number.as_deref() == Some("") {
            setting.number = None;
        }
        match self.change(now, user, service, &setting) {
            Ok(()) => empty(StatusCode::OK),
            Err(error) => refuse_xml(status_of(&error), &error.to_string()),
        }
    }

    fn describe_sites(&self) -> serde_json::Value {
        let sites = self.sites().map(|(id, site)| {
            let listen = site.listen.iter();
            let listen = listen.map(|(transport, address)| format!("{transport} {address}"));
            json!({
                "name": site.name,
                "running": self.is_running(id),
                "listen": listen.collect::<Vec<_>>(),
            })
        });
        sites.collect()
    }

    fn site_name(&self, site: SiteId) -> &str {
        let mut sites = self.sites();
        let found = sites.find(|(id, _)| *id == site);
        found.map_or("", |(_, site)| &site.name)
    }

    fn describe_users(&self, now: Instant) -> serde_json::Value {
        let users = self.users().map(|name| {
            let stored = self.accounts.stored(name, None);
            let services: Vec<ServiceValue> = stored
                .iter()
                .map(|(service, setting)| ServiceValue::new(*service, setting))
                .collect();
            let bindings = self.bindings(name).into_iter().map(|binding| {
                json!({
                    "contact": binding.contact,
                    "transport": binding.flow.transport.as_str(),
                    "expires": binding.expires_at.since(now).as_secs(),
                })
            });
            let subscriptions = self.subscriptions(name).into_iter().map(|subscription| {
                json!({
                    "site": self.site_name(subscription.site),
                    "package": subscription.package.event(),
                    "callId": subscription.call_id,
                    "contact": subscription.contact,
                    "expires": subscription.expires_at.map_or(0, |end| end.since(now).as_secs()),
                })
            });
            json!({
                "name": name,
                "services": services,
                "bindings": bindings.collect::<Vec<_>>(),
                "subscriptions": subscriptions.collect::<Vec<_>>(),
            })
        });
        users.collect()
    }
}

fn status_of(error: &PortalError) -> StatusCode {
    match error {
        PortalError::NoUser(_) | PortalError::NoService { .. } => StatusCode::NOT_FOUND,
        PortalError::Refused(_) => StatusCode::BAD_REQUEST,
        PortalError::Unusable(_) => StatusCode::BAD_GATEWAY,
    }
}

fn respond(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = header::HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn not_allowed(allow: &'static str) -> Response<Bytes> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    let value = header::HeaderValue::from_static(allow);
    response.headers_mut().insert(header::ALLOW, value);
    response
}

fn answer_xml(status: StatusCode, document: String) -> Response<Bytes> {
    respond(status, XML, document)
}

fn answer_json(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    respond(status, JSON, value.to_string())
}

fn refuse_xml(status: StatusCode, summary: &str) -> Response<Bytes> {
    answer_xml(status, xsi::error_document(summary))
}

fn nothing_here() -> Response<Bytes> {
    refuse_json(StatusCode::NOT_FOUND, "there is nothing here")
}

fn refuse_json(status: StatusCode, error: &str) -> Response<Bytes> {
    answer_json(status, &json!({ "error": error }))
}
