//! The HTTP client: whole requests out, whole answers in, `http://` and `file://`.
//!
//! A `file://localhost/..` address is read from disk, so that a base can be provisioned without a server. `https://` is
//! refused until this rig has a CA of its own to offer. No proxy is ever used: a rig's traffic stays where it is sent.

use crate::error::WireError;
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an exchange may take: our choice.
const TIME: Duration = Duration::from_secs(10);
/// The largest answer that is taken; a provisioning file of 20,000 handsets fits.
const BODY_LIMIT: usize = 32 << 20;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not an address that this client serves.
    #[error("cannot fetch {uri}: {reason}")]
    Address {
        /// The address.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers, or not in HTTP.
    #[error("cannot fetch {uri}: {reason}")]
    Exchange {
        /// The address.
        uri: String,
        /// What went wrong, from the outermost cause to the innermost.
        reason: String,
    },
    /// The answer is larger than any that makes sense.
    #[error("cannot fetch {uri}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// The address.
        uri: String,
        /// The limit.
        limit: usize,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// A client. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: reqwest::Client,
    aliases: BTreeMap<String, PathBuf>,
}

impl Fetcher {
    /// A client without a connection yet.
    ///
    /// # Errors
    /// When the HTTP library cannot start.
    pub fn new() -> Result<Self, WireError> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIME)
            .build()
            .map_err(|error| WireError::HttpClient(causes(&error)))?;
        Ok(Self {
            client,
            aliases: BTreeMap::new(),
        })
    }

    /// Reads `path` whenever `uri` is fetched, whatever its name.
    #[must_use]
    pub fn with_alias(mut self, uri: &str, path: &Path) -> Self {
        self.aliases.insert(uri.to_owned(), path.to_owned());
        self
    }

    /// Makes one exchange.
    ///
    /// # Errors
    /// When there is no answer; every answer with a status is one, a missing file too (404).
    pub async fn fetch(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, FetchError> {
        let uri = request.uri().to_string();
        let refuse = |reason| {
            Err(FetchError::Address {
                uri: uri.clone(),
                reason,
            })
        };
        if let Some(path) = self.aliases.get(&uri) {
            return read_file(path.clone(), request.method()).await;
        }
        match request.uri().scheme_str() {
            Some("http") => self.exchange(uri, request).await,
            Some("file") => match file_path(&uri) {
                Some(path) => read_file(path, request.method()).await,
                None => refuse("not a file of this machine"),
            },
            Some("https") => refuse("https is not carried yet, use http"),
            Some(_) => refuse("only http and file addresses are served"),
            None => refuse("the address is not absolute"),
        }
    }

    async fn exchange(
        &self,
        uri: String,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, FetchError> {
        let failed = |error: reqwest::Error| FetchError::Exchange {
            uri: uri.clone(),
            reason: causes(&error),
        };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > BODY_LIMIT {
                return Err(FetchError::TooLarge {
                    uri,
                    limit: BODY_LIMIT,
                });
            }
            body.extend_from_slice(&piece);
        }
        let mut response = http::Response::new(body.freeze());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

/// The `file://localhost/..` address of a file or folder, absolute and percent-encoded; without a slash at the end.
#[must_use]
pub fn file_url(path: &Path) -> Option<String> {
    let absolute = std::path::absolute(path).ok()?;
    let url = reqwest::Url::from_file_path(absolute).ok()?;
    // A URI of the `http` crate needs an authority.
    Some(format!(
        "file://localhost{}",
        url.path().trim_end_matches('/')
    ))
}

fn file_path(uri: &str) -> Option<PathBuf> {
    reqwest::Url::parse(uri).ok()?.to_file_path().ok()
}

async fn read_file(path: PathBuf, method: &Method) -> Result<http::Response<Bytes>, FetchError> {
    let status = |code| {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = code;
        Ok(response)
    };
    if method != Method::GET {
        return status(StatusCode::METHOD_NOT_ALLOWED);
    }
    let shown = path.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(BODY_LIMIT as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    });
    let failed = |reason| FetchError::File {
        path: shown.clone(),
        reason,
    };
    match read.await.map_err(|error| failed(error.to_string()))? {
        Ok(bytes) if bytes.len() > BODY_LIMIT => Err(FetchError::TooLarge {
            uri: shown.display().to_string(),
            limit: BODY_LIMIT,
        }),
        Ok(bytes) => Ok(http::Response::new(bytes.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => status(StatusCode::NOT_FOUND),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// An error with its causes, outermost first.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
