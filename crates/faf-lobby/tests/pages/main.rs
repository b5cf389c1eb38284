//! The pages as people see them: in Chromium, with a whole server.
//!
//! Ignored by default, so that the other tests need only Rust. `.ci/run` installs Chromium and runs
//! these tests, too.
//!
//! The browser blocks the thread of a test, so the server has its own threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../server/http_client.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod http_client;
mod login_page;
mod status_page;
#[path = "../server/support.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod support;
mod webdriver;

use serde_json::json;

use webdriver::Browser;

fn check_fits(browser: &Browser, width: u32) {
    browser.resize(width, 740);
    let sizes = browser.value("[document.documentElement.scrollWidth, innerWidth]");
    assert_eq!(sizes[1], json!(width));
    assert!(sizes[0].as_u64() <= sizes[1].as_u64(), "the page is as wide as {sizes}");
}
