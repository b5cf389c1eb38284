//! A browser, controlled with the WebDriver protocol: JSON over HTTP, as chromedriver speaks it.

use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Longer than any step should take, even on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(30);

const ADVICE: &str = "This test drives Chromium, and it cannot be started. On Debian:\n\n    \
                      apt-get install -y --no-install-recommends chromium chromium-driver\n\n\
                      .ci/run does so if it may.";

/// Headless, without a sandbox (root has none), and without features that access the internet.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Keys, as the protocol writes them.
pub(crate) const TAB: char = '\u{E004}';
pub(crate) const ENTER: char = '\u{E007}';

/// A browser with one page. It ends when this value is dropped.
pub(crate) struct Browser {
    agent: ureq::Agent,
    session: String,
    _driver: Driver,
    _profile: tempfile::TempDir,
}

struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    /// # Panics
    /// With installation advice, if this machine has no Chromium.
    pub(crate) fn start() -> Self {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut driver = match driver {
            Ok(driver) => Driver(driver),
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("{ADVICE}"),
            Err(error) => panic!("{error}\n\n{ADVICE}"),
        };
        let lines = BufReader::new(driver.0.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.strip_suffix('.')?.rsplit_once("successfully on port ")?.1.parse::<u16>().ok()
            })
            .expect("chromedriver says where it listens");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIME_LIMIT * 2))
            .proxy(None)
            .build()
            .new_agent();
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = FLAGS.iter().map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { agent, session: base, _driver: driver, _profile: profile };
        let (_, session) = browser.ask("POST", "", Some(&wanted));
        let id = session["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{session}\n\n{ADVICE}"));
        browser.session += &format!("/{id}");
        browser
    }

    /// Opens a page.
    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Sets the size of the page, which may be smaller than a window can be.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.tell_chromium("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets the preferred colour scheme, `light` or `dark`.
    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell_chromium("Emulation.setEmulatedMedia", &features);
    }

    fn tell_chromium(&self, command: &str, parameters: &Value) {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    /// Returns the value of an expression on the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({"script": format!("return {expression}"), "args": []}))
    }

    /// Types a text, which may contain [keys](TAB), from the element on that has the focus.
    pub(crate) fn type_text(&self, text: &str) {
        let (status, element) = self.ask("GET", "/element/active", None);
        let id = element["value"].as_object().and_then(|ids| ids.values().next()?.as_str());
        let id = id.unwrap_or_else(|| panic!("no element has the focus: {status} {element}"));
        self.post(&format!("/element/{id}/value"), &json!({"text": text}));
    }

    /// Waits until an expression is true on the page.
    pub(crate) fn wait_until(&self, condition: &str) {
        let begin = Instant::now();
        while self.value(&format!("!!({condition})")) != json!(true) {
            if begin.elapsed() > TIME_LIMIT {
                let page = self.value("document.body.innerText");
                let page = page.as_str().unwrap_or_default();
                panic!("this takes too long: {condition}\n\n{page}\n\n{:?}", self.log());
            }
        }
    }

    /// Waits until an element contains a text.
    pub(crate) fn wait_for(&self, id: &str, text: &str) {
        self.wait_until(&format!(
            "document.getElementById({})?.innerText.includes({})",
            json!(id),
            json!(text)
        ));
    }

    /// Returns the console output since the last call, including errors of the browser.
    pub(crate) fn log(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        entries.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Saves a screenshot into the folder named by `PAGE_PICTURES`, if that is set.
    pub(crate) fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("PAGE_PICTURES") else { return };
        let (_, picture) = self.ask("GET", "/screenshot", None);
        let picture = STANDARD.decode(picture["value"].as_str().unwrap()).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, Some(body));
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer["value"].clone()
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.session);
        let request = ureq::http::Request::builder().method(method).uri(url);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut answer = self.agent.run(request.body(body).unwrap()).unwrap();
        let status = answer.status().as_u16();
        // Screenshots exceed the usual limit.
        let text = answer.body_mut().with_config().limit(1 << 26).read_to_string().unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium, which chromedriver would leave running.
        let request = ureq::http::Request::delete(&self.session).body(());
        let _ = request.map(|request| self.agent.run(request));
    }
}
