//! Handsets worked by calls at the web interface of their unit. Paths and JSON pointers are the profile's business.

use super::{At, Instrument, Press};
use crate::error::RigError;
use crate::web;
use evidence::record::Screen;
use http::Method;
use serde_json::{Value, json};

/// The web interface.
pub(crate) struct Web;

impl Instrument for Web {
    fn ready(at: &mut At<'_>) -> Result<(), RigError> {
        at.bench.web_ready(at.unit)
    }

    fn read(at: &mut At<'_>) -> Result<Screen, RigError> {
        let path = at.profile().web.display.clone();
        call(at, Method::GET, &path, None)
    }

    fn press(at: &mut At<'_>, press: &Press<'_>) -> Result<Screen, RigError> {
        let path = at.profile().web.keys.clone();
        call(at, Method::POST, &path, Some(json!({ "keys": press.keys })))
    }
}

/// Makes a call that is answered with a display.
fn call(
    at: &mut At<'_>,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Screen, RigError> {
    let path = path.replace("{ipui}", &at.ipui);
    let answer = at.bench.send_call(at.unit, method, &path, body)?;
    web::screen(&at.profile().web.pointer, &answer).ok_or_else(|| {
        at.bench.breaks(RigError::WebRefused {
            request: path,
            status: 200,
            message: format!("the answer is no display: {answer}"),
        })
    })
}
