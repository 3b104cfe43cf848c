//! The HTTP face: the portal as BroadWorks offers it, and the fault plan.
//!
//! | path | GET | PUT | POST | DELETE |
//! |------|-----|-----|------|--------|
//! | `/com.broadsoft.xsi-actions/v2.0/user/<id>/services/<service>` | the service, XML | change it | | |
//! | `/control/faults` | the plan, JSON | | load one fault or a list | clear the plan |
//! | `/control/faults/<n>` | | | | remove one |
//! | `/control/users` | accounts, bindings and subscriptions, JSON | | | |
//!
//! `<id>` is the account's name, with or without `@domain`. A PUT is a change by the portal and is notified like one. Unlike
//! a real portal this one asks nobody for a password: whoever reaches it holds the rig.

use super::AppServer;
use crate::account::merged;
use crate::fault::{Fault, FaultId};
use crate::service::{Origin, ServiceValue};
use crate::xsi;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::json;
use sip::feature_event::Service;
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
        let method = request.method();
        match path.trim_end_matches('/').strip_prefix("/control/") {
            Some("faults") => match *method {
                Method::GET => answer_json(StatusCode::OK, &json!(self.faults())),
                Method::POST => self.load_faults(request.body()),
                Method::DELETE => {
                    self.clear_faults();
                    empty(StatusCode::NO_CONTENT)
                }
                _ => not_allowed("GET, POST, DELETE"),
            },
            Some("users") if *method == Method::GET => {
                answer_json(StatusCode::OK, &self.describe_users(now))
            }
            Some("users") => not_allowed("GET"),
            Some(other) => match other.strip_prefix("faults/").map(str::parse) {
                Some(Ok(_)) if *method != Method::DELETE => not_allowed("DELETE"),
                Some(Ok(id)) if self.remove_fault(FaultId(id)) => empty(StatusCode::NO_CONTENT),
                _ => refuse_json(StatusCode::NOT_FOUND, "there is nothing here"),
            },
            None => refuse_json(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    fn load_faults(&mut self, body: &[u8]) -> Response<Bytes> {
        match Fault::list_from_json(body, "faults") {
            Ok(faults) => {
                let ids: Vec<FaultId> = faults
                    .into_iter()
                    .map(|fault| self.faults.load(fault))
                    .collect();
                answer_json(StatusCode::CREATED, &json!({ "ids": ids }))
            }
            Err(error) => refuse_json(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    fn answer_xsi(
        &mut self,
        now: Instant,
        request: &Request<Bytes>,
        rest: &str,
    ) -> Response<Bytes> {
        let not_found = |what: &str| answer_xml(StatusCode::NOT_FOUND, xsi::error_document(what));
        let Some((id, name)) = rest.split_once("/services/") else {
            return not_found("only the services of a user are here");
        };
        let id = crate::address::unescaped(id);
        let user = id.split_once('@').map_or(id.as_str(), |(user, _)| user);
        if !self.accounts.contains_key(user) {
            return not_found(&format!("there is no user {user}"));
        }
        let wanted = |service: &Service| xsi::name(*service) == name.trim_end_matches('/');
        let Some(service) = Service::CALL.into_iter().find(wanted) else {
            return not_found(&format!("there is no service {name}"));
        };
        let assigned = self
            .accounts
            .get(user)
            .and_then(|account| account.assigned(service));
        let Some(stored) = assigned.cloned() else {
            return not_found(&format!("{user} does not have the service {name}"));
        };
        match *request.method() {
            Method::GET => answer_xml(StatusCode::OK, xsi::document(service, &stored)),
            Method::PUT => match xsi::parse(service, request.body()) {
                Ok(wish) => {
                    let mut setting = merged(
                        service,
                        Some(&stored),
                        wish.active.unwrap_or(stored.active),
                        wish.number.as_deref(),
                        wish.rings,
                    );
                    // The portal may clear a number, unlike a handset that leaves it empty.
                    if wish.number.as_deref() == Some("") {
                        setting.number = None;
                    }
                    if setting.active
                        && setting.number.is_none()
                        && service != Service::DoNotDisturb
                    {
                        let text = "a service that forwards needs forwardToPhoneNumber";
                        return answer_xml(StatusCode::BAD_REQUEST, xsi::error_document(text));
                    }
                    self.set_service(now, user, service, setting, Origin::Portal);
                    empty(StatusCode::OK)
                }
                Err(error) => {
                    let text = xsi::error_document(&error.to_string());
                    answer_xml(StatusCode::BAD_REQUEST, text)
                }
            },
            _ => not_allowed("GET, PUT"),
        }
    }

    fn describe_users(&self, now: Instant) -> serde_json::Value {
        let users = self.accounts.iter().map(|(name, account)| {
            let services: Vec<ServiceValue> = account
                .full_state()
                .iter()
                .map(|(service, setting)| ServiceValue::new(*service, setting))
                .collect();
            let bindings = self.bindings(name).iter().map(|binding| {
                json!({
                    "contact": binding.contact,
                    "transport": binding.flow.transport.as_str(),
                    "expires": binding.expires_at.since(now).as_secs(),
                })
            });
            let subscriptions = self.subscriptions(name).into_iter().map(|subscription| {
                json!({
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

fn refuse_json(status: StatusCode, error: &str) -> Response<Bytes> {
    answer_json(status, &json!({ "error": error }))
}
