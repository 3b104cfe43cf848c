//! Fetching from disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use http::StatusCode;
use wire::fetch::{Fetcher, file_url};

fn get(uri: &str) -> http::Request<Bytes> {
    http::Request::get(uri).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_file_is_served_and_a_missing_one_is_a_404() {
    let folder = tempfile::Builder::new().prefix("a b#").tempdir().unwrap();
    std::fs::write(folder.path().join("7c2f80.xml"), "<provisioning/>").unwrap();
    let root = file_url(folder.path()).unwrap();
    let fetcher = Fetcher::new().unwrap();
    let answer = fetcher.fetch(get(&format!("{root}/7c2f80.xml"))).await;
    assert_eq!(answer.unwrap().body().as_ref(), b"<provisioning/>");
    let answer = fetcher.fetch(get(&format!("{root}/other.xml"))).await;
    assert_eq!(answer.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_alias_serves_a_file_under_the_name_a_base_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my base.xml");
    std::fs::write(&file, "<provisioning/>").unwrap();
    let uri = "file://localhost/provisioning/7c2f80aabbcc.xml";
    let fetcher = Fetcher::new().unwrap().with_alias(uri, &file);
    let answer = fetcher.fetch(get(uri)).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"<provisioning/>");
}

#[tokio::test]
async fn a_folder_is_no_file_and_the_error_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = file_url(folder.path()).unwrap();
    let error = Fetcher::new().unwrap().fetch(get(&root)).await.unwrap_err();
    let name = folder.path().display().to_string();
    assert!(error.to_string().contains(&name), "{error}");
}

#[tokio::test]
async fn what_is_not_served_is_refused_with_its_address() {
    let fetcher = Fetcher::new().unwrap();
    for (uri, part) in [
        ("ftp://127.0.0.1/x", "only http and file"),
        ("/relative", "not absolute"),
        ("file://elsewhere/x", "not a file of this machine"),
        ("http://127.0.0.1:1/x", "refused"),
    ] {
        let error = fetcher.fetch(get(uri)).await.unwrap_err().to_string();
        assert!(error.contains(uri), "{error}");
        assert!(error.contains(part), "{error}");
    }
}
